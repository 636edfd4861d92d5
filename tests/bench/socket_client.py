"""A closed loop of HTTP requests over a few connections, where wrk is not installed.

    python -m tests.bench.socket_client HOST PORT TARGET CONTENT_TYPE CONNECTIONS SECONDS < body

Prints one JSON object. A process of its own, so that it does not share Python's lock with anyone, and not
httpx, which takes longer per request than the service does: it would measure itself. This one sends the same
bytes again and again and reads no more of an answer than its status line and its length.
"""

import asyncio
import json
import re
import sys
from dataclasses import asdict
from time import perf_counter

from tests.bench.arithmetic import load_of

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
END_OF_HEAD = b"\r\n\r\n"


class Connection(asyncio.Protocol):
    """Sends `request`, waits for the whole answer, and again, until `deadline` in `perf_counter` seconds."""

    def __init__(self, request: bytes, deadline: float, latencies: list[float]) -> None:
        self._request = request
        self._deadline = deadline
        self._latencies = latencies
        self._received = b""
        self._sent = 0.0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._sent = perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            length = answer_length(self._received)
        except ValueError as error:
            self._fail(str(error))
            return
        if length is None or len(self._received) < length:
            return
        if len(self._received) > length:
            self._fail(f"an answer is {len(self._received) - length} bytes longer than it states")
            return
        now = perf_counter()
        self._latencies.append(now - self._sent)
        self._received = b""
        if now < self._deadline:
            self._send()
        else:
            self.finished.set_result(None)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the server closed a connection ({exc or 'in order'})")
        self.closed.set_result(None)

    def _fail(self, reason: str) -> None:
        if not self.finished.done():
            self.finished.set_exception(ConnectionError(reason))
            self._transport.close()


def answer_length(received: bytes) -> int | None:
    """The length in bytes of the answer that `received` begins, None while its head is not complete.

    Raises `ValueError` for a status other than 2xx, and for an answer that does not state its length.
    """
    head = received.find(END_OF_HEAD)
    if head < 0:
        return None
    status, length = STATUS.match(received), LENGTH.search(received, 0, head + 2)
    if status is None:
        raise ValueError(f"not an answer in HTTP/1.1: {received[:40]!r}")
    if not status[1].startswith(b"2"):
        raise ValueError(f"an answer has status {status[1].decode()}: {received[head + 4 : head + 300]!r}")
    if length is None:
        raise ValueError("an answer does not state its content-length")
    return head + len(END_OF_HEAD) + int(length[1])


def request_bytes(host: str, target: str, content_type: str, body: bytes) -> bytes:
    head = (
        f"POST {target} HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def drive(host: str, port: int, request: bytes, connections: int, seconds: float) -> list[float]:
    """The latencies, in seconds, of all requests that were begun within `seconds`."""
    latencies: list[float] = []
    deadline = perf_counter() + seconds
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(lambda: Connection(request, deadline, latencies), host, port)
        for _ in range(connections)
    ]
    try:
        await asyncio.gather(*(connection.finished for _, connection in opened))
    finally:
        for transport, _ in opened:
            transport.close()
        await asyncio.gather(*(connection.closed for _, connection in opened))
    return latencies


def main() -> int:
    host, port, target, content_type, connections, seconds = sys.argv[1:]
    request = request_bytes(host, target, content_type, sys.stdin.buffer.read())
    start = perf_counter()
    try:
        latencies = asyncio.run(drive(host, int(port), request, int(connections), float(seconds)))
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(asdict(load_of(latencies, perf_counter() - start))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
