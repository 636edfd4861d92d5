"""The load generators give figures only where every answer was right."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.bench import load
from tests.bench.arithmetic import load_of
from tests.bench.payloads import Body
from tests.bench.program import BenchError
from tests.bench.socket_client import answer_length, drive, request_bytes

FIGURES = {
    "requests": 300,
    "microseconds": 1_500_000,
    "p50": 1250.0,
    "p95": 2500.0,
    "p99": 4000.0,
    "status": 0,
    "connect": 0,
    "read": 0,
    "write": 0,
    "timeout": 0,
}
RIGHT = {
    "predictions": [{"top": [{"label": "cat", "probability": 0.9}, {"label": "dog", "probability": 0.1}]}]
}
BODY = Body("image/png", b"pixels")


def answer(**changes: object) -> dict[str, object]:
    return {**FIGURES, **changes}


@contextmanager
def server(content: bytes, status: int = 200) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives every request the same answer; its address, and the bodies that it got."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.daemon_threads = True
        Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{served.server_port}/predict", received
        finally:
            served.shutdown()


def test_figures_of_wrk_are_read_from_its_last_line() -> None:
    found = load.parse_wrk(f"Running 1s test @ http://x\n  Latency 1ms\n{json.dumps(FIGURES)}\n", "http://x")
    assert (found.requests, found.errors, found.seconds, found.images_per_second) == (300, 0, 1.5, 200)
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == (1.25, 2.5, 4.0)


@pytest.mark.parametrize("kind", ["status", "connect", "read", "write", "timeout"])
def test_an_error_that_wrk_saw_ends_the_benchmark(kind: str) -> None:
    with pytest.raises(BenchError, match=f"errors at http://x: 3 of kind {kind}$"):
        load.parse_wrk(json.dumps(answer(**{kind: 3})), "http://x")


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("", "no figures"),
        ("unable to connect", "no figures"),
        (json.dumps(answer(requests=0)), "no answer from http://x"),
    ],
)
def test_a_load_without_answers_is_refused(output: str, message: str) -> None:
    with pytest.raises(BenchError, match=message):
        load.parse_wrk(output, "http://x")


def test_checked_request_sends_the_body_and_returns_the_answer() -> None:
    with server(json.dumps(RIGHT).encode()) as (url, received):
        assert load.check(url, BODY) == RIGHT
    assert received == [b"pixels"]


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (b"busy", 503, "status 503: busy"),
        (b"<html>", 200, "another form: <html>"),
        (b'{"predictions": []}', 200, "another form"),
        (b'{"predictions": [{"top": []}]}', 200, "cannot be right"),
        (b'{"predictions": [{"top": [{"probability": 0.1}, {"probability": 0.2}]}]}', 200, "cannot be right"),
        (b'{"predictions": [{"top": [{"probability": 0.9}, {"probability": 0.8}]}]}', 200, "cannot be right"),
    ],
)
def test_a_wrong_answer_ends_the_benchmark(content: bytes, status: int, message: str) -> None:
    with server(content, status) as (url, _), pytest.raises(BenchError, match=message):
        load.check(url, BODY)


def test_a_server_that_is_gone_ends_the_benchmark() -> None:
    with server(b"") as (url, _):
        pass
    with pytest.raises(BenchError, match="does not answer"):
        load.check(url, BODY)


def test_socket_client_keeps_sending_over_all_its_connections() -> None:
    with server(b"answer") as (url, received):
        port = int(url.rpartition(":")[2].partition("/")[0])
        request = request_bytes("127.0.0.1", "/predict", "image/png", b"pixels")
        latencies = asyncio.run(drive("127.0.0.1", port, request, connections=3, seconds=0.2))
    assert received == [b"pixels"] * len(latencies)
    assert len(latencies) > 3
    assert load_of(latencies, 0.2).p50_ms > 0


def test_socket_client_fails_where_the_server_does() -> None:
    with server(b"busy", 503) as (url, _):
        port = int(url.rpartition(":")[2].partition("/")[0])
        request = request_bytes("127.0.0.1", "/predict", "image/png", b"pixels")
        with pytest.raises(ConnectionError, match="an answer has status 503"):
            asyncio.run(drive("127.0.0.1", port, request, connections=2, seconds=0.2))


HEAD = b"HTTP/1.1 200 OK\r\nserver: x\r\nContent-Length: 5\r\n\r\n"


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 2", HEAD[:-1]])
def test_a_head_that_is_not_complete_has_no_length_yet(received: bytes) -> None:
    assert answer_length(received) is None


@pytest.mark.parametrize("content", [b"", b"12345", b"content-length: 99\r\n\r\n"])
def test_length_of_an_answer_is_that_of_head_and_stated_content(content: bytes) -> None:
    assert answer_length(HEAD + content) == len(HEAD) + 5


@pytest.mark.parametrize(
    ("received", "message"),
    [
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "does not state its content-length"),
        (b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n", "status 302"),
        (b"SMTP ready\r\n\r\n", "not an answer in HTTP/1.1"),
    ],
)
def test_an_answer_that_cannot_be_right_is_refused(received: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        answer_length(received)
