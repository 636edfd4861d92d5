"""An open loop of HTTP requests: they come at a rate of their own, whether earlier ones are answered or not.

    python -m tests.bench.open_loop HOST PORT TARGET CONTENT_TYPE RATE SECONDS [SEED] < body

With a seed they come at random (Poisson) at that rate, otherwise evenly spaced.
Prints one JSON object, a list for each request: its status, its latency in seconds, the seconds that
Retry-After named (null without), and whether it was a second try, made when those had passed. A status of 0
is a connection that broke, -1 a request without an answer. A process of its own, as
`tests.bench.socket_client` is. A request goes out on a connection that waits, or on a new one.
"""

import asyncio
import json
import random
import re
import sys
from collections.abc import Callable
from typing import TypeAlias

from tests.bench.socket_client import END_OF_HEAD, LENGTH, STATUS, request_bytes

RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)\r\n", re.IGNORECASE)
PATIENCE_SECONDS = 60.0

Outcome: TypeAlias = tuple[int, float, int | None, bool]
"""Status, latency in seconds, seconds named by Retry-After, and whether it is a second try."""


class Connection(asyncio.Protocol):
    """One request at a time; `on_answer` gets the status and the seconds of Retry-After."""

    def __init__(self, lost: Callable[["Connection"], None]) -> None:
        self._lost = lost
        self._received = b""
        self._answer: asyncio.Future[tuple[int, int | None]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport

    async def ask(self, request: bytes) -> tuple[int, int | None]:
        """The status, and the seconds of Retry-After."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(END_OF_HEAD)
        if head < 0:
            return
        status, length = STATUS.match(self._received), LENGTH.search(self._received, 0, head + 2)
        assert status is not None
        assert length is not None
        if len(self._received) < head + len(END_OF_HEAD) + int(length[1]):
            return
        named = RETRY_AFTER.search(self._received, 0, head + 2)
        self._received = b""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(status[1]), int(named[1]) if named else None))

    def connection_lost(self, _: Exception | None) -> None:
        self._lost(self)
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((0, None))


class OpenLoop:
    """Sends `request` to one server, on as many connections as that takes."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self._host, self._port, self._request = host, port, request
        self._idle: list[Connection] = []
        self.outcomes: list[Outcome] = []

    async def drive(self, rate: float, seconds: float, seed: int | None = None) -> None:
        """
        Send `rate * seconds` requests, each when it is due, or as soon as can be after that; each that is
        refused with a Retry-After tries again once, then.
        """
        loop, chance = asyncio.get_running_loop(), random.Random(seed)
        due, tasks = loop.time(), list[asyncio.Task[None]]()
        for _ in range(round(rate * seconds)):
            due += 1 / rate if seed is None else chance.expovariate(rate)
            early = due - loop.time()
            if early > 0:
                await asyncio.sleep(early)
            tasks.append(asyncio.create_task(self._request_and_retry()))
        await asyncio.gather(*tasks)
        for connection in self._idle:
            connection.transport.close()

    async def _request_and_retry(self) -> None:
        named = await self._send(again=False)
        if named is not None:
            await asyncio.sleep(named)
            await self._send(again=True)

    async def _send(self, *, again: bool) -> int | None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        try:
            connection = self._idle.pop() if self._idle else await self._connect()
            status, named = await asyncio.wait_for(connection.ask(self._request), PATIENCE_SECONDS)
            if status:
                self._idle.append(connection)
        except TimeoutError:
            status, named = -1, None
        except OSError:
            status, named = 0, None
        self.outcomes.append((status, loop.time() - start, named, again))
        return named

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self._forget), self._host, self._port)
        return connection

    def _forget(self, connection: Connection) -> None:
        if connection in self._idle:
            self._idle.remove(connection)


async def _drive(loop: OpenLoop, rate: float, seconds: float, seed: int | None) -> list[Outcome]:
    await loop.drive(rate, seconds, seed)
    return loop.outcomes


def main() -> int:
    host, port, target, content_type, rate, seconds, *seed = sys.argv[1:]
    request = request_bytes(host, target, content_type, sys.stdin.buffer.read())
    loop = OpenLoop(host, int(port), request)
    outcomes = asyncio.run(_drive(loop, float(rate), float(seconds), int(seed[0]) if seed else None))
    print(json.dumps(outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
