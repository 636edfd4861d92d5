"""One process that serves: the app under uvicorn, from loading the model to the end of the last request."""

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from time import monotonic
from types import FrameType

import uvicorn
from fastapi import FastAPI

from app.batching.thread_pools import EngineWatch
from app.errors import StartError
from app.main import create_app
from app.observability.metrics import ServiceMetrics
from app.registry.plan_folder import Membership
from app.server.connection import bounded_connections
from app.server.self_watch import end_by_force
from app.settings import Settings
from models.artifact.store import ArtifactError

PULSE_SECONDS = 1.0
TICK_SECONDS = 0.1
"""As in uvicorn: every tenth tick renews the date in the headers."""

CLOSING_SECONDS = 1.0
"""For threads to end, after the running requests. A decoder that cannot be told to stop may take longer."""


class AnnouncingServer(uvicorn.Server):
    """A server that says when it listens, is unready before it refuses connections, and ends in time.

    After a signal it answers on for the `unready_seconds` of the settings, with `app.state.is_leaving` set.
    Then it refuses connections, and running requests have `drain_seconds`, with `app.state.is_stopping` set.
    A second signal ends a lone process at once. One of several leaves that to its parent, whose signal may
    come beside one that all of them get, as from systemd.
    """

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, announce: Callable[[], None], settings: Settings
    ) -> None:
        super().__init__(config)
        self._app = app
        self._announce = announce
        self._is_alone = settings.workers == 1
        self._unready_seconds = settings.unready_seconds
        late = f"running work did not end within RESNET_SERVE_DRAIN_SECONDS={settings.drain_seconds}"
        seconds = settings.unready_seconds + settings.drain_seconds + CLOSING_SECONDS
        self._end = threading.Timer(seconds, end_by_force, [late])
        self._end.daemon = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            if self._is_alone:
                os._exit(1)  # for a thread that computes would keep Python from ending
            return
        super().handle_exit(sig, frame)
        self._end.start()

    async def main_loop(self) -> None:
        """Serve until a signal, and then as long as it takes a balancer to notice."""
        # Not sooner: whoever hears of it may send the signal, and before this loop it would end all at once.
        self._announce()
        await super().main_loop()
        self._app.state.is_leaving = True
        # A client that keeps its connection would otherwise send on it until it is closed, perhaps just then.
        # These are the headers of every response, renewed every second with the date.
        self.config.encoded_headers.append((b"connection", b"close"))
        ends = asyncio.get_running_loop().time() + self._unready_seconds
        counter = 0
        while asyncio.get_running_loop().time() < ends:
            await self.on_tick(counter)
            counter += 1
            await asyncio.sleep(TICK_SECONDS)
        self._app.state.is_stopping = True


def serve(
    settings: Settings,
    listener: socket.socket,
    announce: Callable[[], None],
    metrics: ServiceMetrics | None = None,
    membership: Membership | None = None,
    pulse: Callable[[str | None], None] | None = None,
) -> None:
    """Serve on `listener`; `announce` is called once requests are accepted.

    From then on `pulse` is called every second on the event loop, with what is wrong with the engine or None.

    Ends with `KeyboardInterrupt` when a signal that raises it has come and the running requests are answered;
    where they take longer than they may, those that wait get status 503, and a second later the process ends.
    Raises `StartError` if the model is not fit to serve.
    """
    app = create_app(settings, metrics, membership)
    # The lifespan is run here and not by uvicorn, which would print a traceback if the model does not load.
    config = uvicorn.Config(
        app,
        http=bounded_connections(settings, app.state.metrics),
        ws="none",  # an offer of another protocol is ignored, of this one too
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # which the app's own middleware does, with the prefix of the path
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    server = AnnouncingServer(config, app, announce, settings)
    try:
        # On the event loop that uvicorn chooses: uvloop, where there is one.
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_serve(app, server, listener, pulse))
    except (ArtifactError, OSError) as error:
        raise StartError(str(error)) from error


async def _serve(
    app: FastAPI,
    server: AnnouncingServer,
    listener: socket.socket,
    pulse: Callable[[str | None], None] | None,
) -> None:
    # Pulses go on until all has ended, which may take a while, and is not to be taken for a loop that hangs.
    async with AsyncExitStack() as beating, app.router.lifespan_context(app):
        if pulse is not None:
            beating.push_async_callback(_end, asyncio.create_task(_beat(app.state.engine_watch, pulse)))
        await server.serve([listener])


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel `task`, and return when it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _beat(watch: EngineWatch, pulse: Callable[[str | None], None]) -> None:
    while True:
        due = monotonic() + PULSE_SECONDS
        await asyncio.sleep(PULSE_SECONDS)
        late = monotonic() - due
        if late > PULSE_SECONDS:
            # Or only this loop was, and then a batch that hangs is found so much later.
            watch.was_held_up(late)
        stuck = watch.stuck_seconds()
        pulse(None if stuck is None else f"the engine has not finished a batch for {stuck:.0f} s")
