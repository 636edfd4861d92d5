"""The open loop keeps its rate, tries again when it was told to, and loses no request from its count."""

import asyncio
from collections.abc import Awaitable, Callable

from tests.bench.open_loop import OpenLoop

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
REFUSED = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 4\r\n\r\nbusy"

Answer = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


async def _drive(answer: Answer, rate: float, seconds: float) -> OpenLoop:
    """Against a server that answers the n-th request by `answer`."""
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                requests += 1
                await answer(requests, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        loop = OpenLoop("127.0.0.1", server.sockets[0].getsockname()[1], REQUEST)
        await loop.drive(rate, seconds)
        return loop


def test_a_request_does_not_wait_for_the_one_before_it() -> None:
    all_there = asyncio.Event()

    async def slow(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 10:
            all_there.set()
        await all_there.wait()
        writer.write(OK)

    loop = asyncio.run(_drive(slow, rate=100, seconds=0.1))
    assert [status for status, *_ in loop.outcomes] == [200] * 10


def test_what_is_refused_is_tried_again_once() -> None:
    async def refuse(_: int, writer: asyncio.StreamWriter) -> None:
        writer.write(REFUSED)

    outcomes = asyncio.run(_drive(refuse, rate=50, seconds=0.1)).outcomes
    assert {(status, named) for status, _, named, _ in outcomes} == {(429, 0)}
    first, second = ([again for *_, again in outcomes].count(again) for again in (False, True))
    assert first == second > 0


def test_a_connection_that_breaks_is_counted() -> None:
    async def break_the_third(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 3:
            writer.close()
        else:
            writer.write(OK)

    outcomes = asyncio.run(_drive(break_the_third, rate=50, seconds=0.1)).outcomes
    statuses = [status for status, *_ in outcomes]
    assert statuses.count(0) == 1
    assert statuses.count(200) == len(statuses) - 1
