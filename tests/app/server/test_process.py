"""A server in this very process, whose signals it gets."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI

from app.batching import thread_pools
from app.batching.thread_pools import EngineWatch
from app.server import process
from app.server.process import AnnouncingServer, _serve
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


def test_the_event_loop_reports_until_all_that_has_to_end_has_ended() -> None:
    """Which may take longer than a loop that is silent is left alone."""
    pulses: list[str | None] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        before = len(pulses)
        async with asyncio.timeout(60):
            while len(pulses) == before:
                await asyncio.sleep(0.1)

    app = FastAPI(lifespan=lifespan)
    app.state.engine_watch = EngineWatch()
    config = uvicorn.Config(app, lifespan="off", log_config=None)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = AnnouncingServer(config, app, lambda: None, Settings())
        server.should_exit = True
        asyncio.run(_serve(app, server, listener, pulses.append))


def test_a_batch_is_not_blamed_for_what_held_up_the_whole_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a container is paused in the middle of a batch."""
    monkeypatch.setattr(process, "PULSE_SECONDS", 0.05)
    monkeypatch.setattr(thread_pools, "STUCK_SECONDS", 0.5)
    pulses: list[str | None] = []

    async def pause() -> None:
        watch = EngineWatch()
        with watch.computing():
            beating = asyncio.create_task(process._beat(watch, pulses.append))
            await asyncio.sleep(0)
            time.sleep(1)
            while not pulses:
                await asyncio.sleep(0.01)
            beating.cancel()

    asyncio.run(pause())
    assert pulses[0] is None
