"""A server in this very process, whose signals it gets."""

import asyncio
import os
import signal
import socket
import time

import pytest
import uvicorn
from fastapi import FastAPI

from app.server.process import AnnouncingServer
from app.server.signals import StopSignals
from app.settings import Settings


@pytest.mark.parametrize(("workers", "times"), [(1, 1), (2, 2)])
def test_a_signal_at_the_announcement_finds_a_server_that_answers_on(workers: int, times: int) -> None:
    """To one of several it may come twice: from the parent, and from whoever signals all processes."""
    app = FastAPI()
    config = uvicorn.Config(app, lifespan="off", log_config=None)
    announced_at: list[float] = []

    def announce() -> None:
        announced_at.append(time.monotonic())
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGTERM)

    with StopSignals() as signals, socket.create_server(("127.0.0.1", 0)) as listener:
        server = AnnouncingServer(config, app, announce, Settings(unready_seconds=1, workers=workers))
        try:
            asyncio.run(server.serve([listener]))
        finally:
            server._end.cancel()  # or it ends this process
        assert time.monotonic() - announced_at[0] >= 1
        assert signals.take()
    assert app.state.is_leaving
    assert app.state.is_stopping
