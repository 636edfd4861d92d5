"""Connections of a server in this very process: when they end, also where its event loop stands still."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any, Literal

import pytest
import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.server import ServerState

from app.http.middleware.trusted_hosts import HEALTH
from app.observability.metrics import ServiceMetrics
from app.server import connection as connection_module
from app.server.connection import BoundedConnection, bounded_connections
from app.server.spare_connections import MOMENT_SECONDS, SPARE_SECONDS
from app.settings import Settings
from tests.support.raw_connection import LIVE, answer_in, check_error, connect, until_closed
from tests.support.virtual_clock import on_virtual_clock

HEADER_SECONDS = 64
ANSWER_SECONDS = 4.0
"""How long `_slow` takes."""


async def _quick(_: Scope, __: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await asyncio.sleep(0.01)  # as where an answer takes more than one turn of the loop
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


async def _slow(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    await asyncio.sleep(ANSWER_SECONDS)
    await _quick(scope, receive, send)


def _makes(app: Any, state: ServerState, root_path: str = "") -> Callable[[], BoundedConnection]:  # noqa: ANN401
    """What makes a connection of a server that may have one."""
    settings = Settings(max_connections=1, header_seconds=HEADER_SECONDS, root_path=root_path)
    kind = bounded_connections(settings, ServiceMetrics())
    config = uvicorn.Config(app, http=kind, ws="none", lifespan="off", log_config=None, access_log=False)
    return lambda: kind(config, state, {})


async def _wait_for(state: ServerState, connections: int) -> None:
    async with asyncio.timeout(60):
        while len(state.connections) != connections:
            await asyncio.sleep(0.001)


@asynccontextmanager
async def _spare_connection() -> AsyncIterator[socket.socket]:
    """One that a real server has made beyond its bound, and that has asked for nothing yet."""
    state = ServerState()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_makes(_quick, state), sock=listener)
        with ExitStack() as stack:
            for number in (1, 2):
                client = stack.enter_context(connect(listener.getsockname()))
                await _wait_for(state, number)
            yield client
        server.close()
        await _wait_for(state, 0)


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
@pytest.mark.parametrize("place", ["in a callback", "as another connection is read"])
def test_a_health_check_that_came_while_the_loop_stood_still_is_answered(
    monkeypatch: pytest.MonkeyPatch, kind: Literal["asyncio", "uvloop"], place: str
) -> None:
    """A timer that is due then may run before what came in is read, and does before it is answered."""
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    monkeypatch.setattr(connection_module, "SPARE_SECONDS", 0.5)

    async def ask() -> bytes:
        async with _spare_connection() as client:
            loop, has_stood = asyncio.get_running_loop(), asyncio.Event()

            def stand_still() -> None:
                loop.remove_reader(other)
                client.sendall(LIVE)
                time.sleep(1)
                has_stood.set()

            other, end = socket.socketpair()
            with other, end:
                if place == "as another connection is read":
                    loop.add_reader(other, stand_still)
                    end.sendall(b"x")
                else:
                    loop.call_soon(stand_still)
                await has_stood.wait()
            return await asyncio.to_thread(until_closed, client)

    factory = uvicorn.Config(_quick, loop=kind).get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        status, headers, _ = answer_in(runner.run(ask()))
    assert (status, headers["connection"]) == (200, "close")


class _Socket:
    """What of a socket a connection looks at."""

    def setsockopt(self, *_: int) -> None:
        """Without effect."""

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 8000

    getpeername = getsockname


class _Client(asyncio.Transport):
    """A connection without a network: what the other end is sent, and when it is closed."""

    def __init__(self, connection: BoundedConnection) -> None:
        super().__init__({"socket": _Socket()})
        self._connection = connection
        self.received = b""
        self.closed_at: float | None = None
        connection.connection_made(self)

    def send(self, data: bytes) -> None:
        self._connection.data_received(data)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.received += bytes(data)

    def is_closing(self) -> bool:
        return self.closed_at is not None

    def close(self) -> None:
        if self.closed_at is None:
            loop = asyncio.get_running_loop()
            self.closed_at = loop.time()
            loop.call_soon(self._connection.connection_lost, None)

    def pause_reading(self) -> None:
        """Nothing comes in but by `send`."""

    def resume_reading(self) -> None:
        """As above."""


@on_virtual_clock
async def test_a_spare_connection_that_asks_for_nothing_is_closed_after_its_time() -> None:
    make = _makes(_quick, ServerState())
    _, spare = _Client(make()), _Client(make())
    await asyncio.sleep(HEADER_SECONDS / 2)
    check_error(spare.received, 503, "too_many_connections")
    assert spare.closed_at == SPARE_SECONDS + MOMENT_SECONDS


@on_virtual_clock
async def test_headers_a_byte_at_a_time_do_not_extend_it() -> None:
    make = _makes(_quick, ServerState())
    _, spare = _Client(make()), _Client(make())
    for byte in LIVE:
        spare.send(bytes([byte]))
        await asyncio.sleep(0.25)
        if spare.is_closing():
            break
    check_error(spare.received, 503, "too_many_connections")
    assert spare.closed_at == SPARE_SECONDS + MOMENT_SECONDS


@on_virtual_clock
async def test_the_answer_has_as_long_from_the_headers_on() -> None:
    make = _makes(_slow, ServerState())
    _, spare = _Client(make()), _Client(make())
    await asyncio.sleep(SPARE_SECONDS)
    spare.send(LIVE)
    await asyncio.sleep(ANSWER_SECONDS + 0.5)
    assert answer_in(spare.received)[0] == 200
    assert spare.closed_at == pytest.approx(SPARE_SECONDS + ANSWER_SECONDS, abs=0.25)


@on_virtual_clock
async def test_an_answer_that_does_not_come_by_then_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "SPARE_SECONDS", 1.0)
    make = _makes(_slow, ServerState())
    _, spare = _Client(make()), _Client(make())
    await asyncio.sleep(0.5)
    spare.send(LIVE)
    await asyncio.sleep(HEADER_SECONDS / 2)
    check_error(spare.received, 503, "too_many_connections")
    assert spare.closed_at == 0.5 + 1.0 + MOMENT_SECONDS


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("path", [*(f"{path}live" for path in HEALTH), "/metrics"])
@on_virtual_clock
async def test_what_is_answered_may_have_the_prefix_of_a_proxy(prefix: str, path: str) -> None:
    make = _makes(_quick, ServerState(), "/api")
    _, spare = _Client(make()), _Client(make())
    spare.send(LIVE.replace(b"/health/live", f"{prefix}{path}".encode()))
    await asyncio.sleep(1)
    assert answer_in(spare.received)[0] == 200


@pytest.mark.parametrize(
    ("root_path", "path"), [("", "/api/health/"), ("/api", "/apihealth/"), ("/api", "/api/api/health/")]
)
@on_virtual_clock
async def test_but_no_other_one(root_path: str, path: str) -> None:
    make = _makes(_quick, ServerState(), root_path)
    _, spare = _Client(make()), _Client(make())
    spare.send(LIVE.replace(b"/health/", path.encode()))
    check_error(spare.received, 503, "too_many_connections")


@on_virtual_clock
async def test_where_there_is_room_by_then_a_spare_connection_is_one_like_any_other() -> None:
    make = _makes(_quick, ServerState())
    first, spare = _Client(make()), _Client(make())
    await asyncio.sleep(SPARE_SECONDS - 1)
    first.close()
    await asyncio.sleep(0.5)
    for _ in range(2):
        spare.received = b""
        spare.send(LIVE.replace(b"/health/live", b"/predict"))
        await asyncio.sleep(SPARE_SECONDS)
        status, headers, _ = answer_in(spare.received)
        assert status == 200
        assert "connection" not in headers
    assert not spare.is_closing()


@on_virtual_clock
async def test_one_that_asks_for_nothing_then_has_as_long_as_any_other() -> None:
    make = _makes(_quick, ServerState())
    first, spare = _Client(make()), _Client(make())
    await asyncio.sleep(1)
    first.close()
    await asyncio.sleep(2 * HEADER_SECONDS)
    assert spare.received == b""
    assert spare.closed_at == SPARE_SECONDS + MOMENT_SECONDS + HEADER_SECONDS


@on_virtual_clock
async def test_an_answer_may_then_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "SPARE_SECONDS", 1.0)
    make = _makes(_slow, ServerState())
    first, spare = _Client(make()), _Client(make())
    spare.send(LIVE)
    await asyncio.sleep(0.5)
    first.close()
    await asyncio.sleep(2 * ANSWER_SECONDS)
    assert answer_in(spare.received)[0] == 200
    assert spare.is_closing()
