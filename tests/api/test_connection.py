"""Clients that are slow, endless or many, against the real server: what uvicorn itself does not bound."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.server.connection import MAX_PIPELINED
from app.server.request_head import MAX_BYTES as MAX_HEAD_BYTES
from app.server.request_head import MAX_HEADERS
from tests.support.raw_connection import (
    LIVE,
    answer_in,
    check_error,
    connect,
    drip,
    exchange,
    flood,
    require_live,
    until_closed,
)
from tests.support.server_process import running

HEADER_SECONDS, BODY_SECONDS, KEEP_ALIVE_SECONDS = 0.5, 0.6, 3
MAX_CONNECTIONS = 20
LIMITS = {
    "RESNET_SERVE_HEADER_SECONDS": str(HEADER_SECONDS),
    "RESNET_SERVE_BODY_SECONDS": str(BODY_SECONDS),
    "RESNET_SERVE_KEEP_ALIVE_SECONDS": str(KEEP_ALIVE_SECONDS),
    "RESNET_SERVE_MAX_CONNECTIONS": str(MAX_CONNECTIONS),
}

POST = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def address(model_dir: Path) -> Iterator[tuple[str, int]]:
    with running(model_dir, LIMITS) as (_, url, _):
        host, port = url.removeprefix("http://").split(":")
        yield host, int(port)


def test_a_connection_that_asks_for_nothing_is_closed(address: tuple[str, int]) -> None:
    started = time.monotonic()
    assert exchange(address) == b""
    assert time.monotonic() - started > HEADER_SECONDS * 0.9
    assert drip(address, b"", b"\r\n") == b""


@pytest.mark.parametrize("start", [b"", LIVE], ids=["first request", "second request"])
def test_headers_a_byte_at_a_time_are_408(address: tuple[str, int], start: bytes) -> None:
    received = drip(address, start + b"GET /health/live HTTP/1.1\r\nHost: ", b"x")
    if start:
        received = received.partition(b'{"status":"live"}')[2]
    message = check_error(received, 408, "headers_too_slow")
    assert message == "the request's headers did not arrive within 0.5 s"


def test_headers_that_stop_are_408(address: tuple[str, int]) -> None:
    check_error(exchange(address, b"GET /health/live HTTP/1.1\r\nHost: x\r\n"), 408, "headers_too_slow")


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (POST + b"Content-Length: 1000\r\n\r\n", b"x"),
        (CHUNKED, b"1\r\nx\r\n"),
        (CHUNKED + b"0\r\n", b"a: b\r\n"),
    ],
    ids=["of known length", "chunked", "trailers"],
)
def test_a_body_a_byte_at_a_time_is_408(address: tuple[str, int], start: bytes, piece: bytes) -> None:
    message = check_error(drip(address, start, piece), 408, "body_too_slow")
    assert message == "the request body did not arrive within 0.6 s"


def test_a_body_that_stops_is_408_in_the_shape_of_its_path(address: tuple[str, int]) -> None:
    head = b"POST /v2/models/lenet-test/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    status, _, content = answer_in(exchange(address, head, b"half"))
    assert (status, content) == (408, {"error": "the request body did not arrive within 0.6 s"})


def test_what_still_comes_of_the_body_of_an_answered_request_is_cut_off(address: tuple[str, int]) -> None:
    received = drip(address, b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"x")
    assert received.count(b"HTTP/1.1 ") == 1
    assert received.startswith(b"HTTP/1.1 404 ")


def test_an_idle_connection_is_kept_for_its_own_time_and_no_longer(address: tuple[str, int]) -> None:
    with connect(address) as connection:
        require_live(connection)
        time.sleep(2 * HEADER_SECONDS)
        asked = time.monotonic()
        require_live(connection)
        assert until_closed(connection) == b""
        assert time.monotonic() - asked > KEEP_ALIVE_SECONDS * 0.9


def _open_files(address: tuple[str, int]) -> float:
    metrics = httpx.get(f"http://{address[0]}:{address[1]}/metrics").text
    return float(re.findall(r"^process_open_fds (\S+)$", metrics, flags=re.MULTILINE)[0])


def test_a_client_that_takes_nothing_of_its_answers_is_given_up(address: tuple[str, int]) -> None:
    before = _open_files(address)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect(address)
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * (1 + MAX_PIPELINED))
        assert _open_files(address) > before
        deadline = time.monotonic() + 60
        while _open_files(address) > before:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"GET /health/live HTTP/1.1\r\nHost: ", b"x" * 65536),
        (b"GET /health/live HTTP/1.1\r\n", b"name: value\r\n" * 5000),
        (b"GET /health/live?", b"x" * 65536),
    ],
    ids=["one header", "many headers", "path"],
)
def test_headers_without_end_are_431(address: tuple[str, int], start: bytes, piece: bytes) -> None:
    received, sent = flood(address, start, piece)
    assert str(MAX_HEAD_BYTES) in check_error(received, 431, "headers_too_large")
    assert sent < 20_000_000  # what the kernels of both sides hold, for the most part


@pytest.mark.parametrize(
    ("start", "piece"),
    [(CHUNKED + b"0\r\n", b"name: value\r\n" * 5000), (CHUNKED + b"1;", b"x" * 65536)],
    ids=["trailers", "a chunk's extension"],
)
def test_what_no_body_is_of_without_end_is_431(address: tuple[str, int], start: bytes, piece: bytes) -> None:
    received, sent = flood(address, start, piece)
    check_error(received, 431, "headers_too_large")
    assert sent < 20_000_000


def test_a_body_has_limits_of_its_own(address: tuple[str, int]) -> None:
    body = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    received = exchange(
        address, CHUNKED.replace(b"x\r\n", b"x\r\nConnection: close\r\n"), *[body] * 8, b"0\r\n\r\n"
    )
    assert answer_in(received)[2]["error"]["code"] == "unsupported_image"


def test_headers_of_just_the_limits_pass_and_more_are_431(address: tuple[str, int]) -> None:
    def ask(path: str, headers: list[tuple[str, str]]) -> bytes:
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
        return exchange(address, "\r\n".join(lines).encode())

    path, count = "/v2", MAX_HEADERS - 2  # without those that all have
    common = [("Host", "x"), ("Connection", "close")]
    room = MAX_HEAD_BYTES - len(path) - sum(len(name) + len(value) for name, value in common)
    assert answer_in(ask(path, [*common, ("a", "x" * (room - 1))]))[0] == 200
    status, _, content = answer_in(ask(path, [*common, ("a", "x" * room)]))
    assert (status, set(content)) == (431, {"error"})
    assert isinstance(content["error"], str)
    assert answer_in(ask(path, [*common, *[("a", "b")] * count]))[0] == 200
    message = check_error(
        ask("/health/live", [*common, *[("a", "b")] * (count + 1)]), 431, "too_many_headers"
    )
    assert str(MAX_HEADERS) in message


def test_the_limits_are_those_of_a_request_and_not_of_all_on_a_connection(address: tuple[str, int]) -> None:
    request = LIVE.replace(b"x\r\n", b"x\r\nname: " + b"x" * (MAX_HEAD_BYTES // 4) + b"\r\n")
    with connect(address) as connection:
        for _ in range(12):
            require_live(connection, request)


def test_a_few_requests_may_wait_for_the_answer_to_an_earlier_one(address: tuple[str, int]) -> None:
    last = LIVE.replace(b"x\r\n", b"x\r\nConnection: close\r\n")
    received = exchange(address, LIVE * MAX_PIPELINED + last)
    assert received.count(b"HTTP/1.1 200 ") == MAX_PIPELINED + 1


def test_a_connection_on_which_too_many_wait_is_closed(address: tuple[str, int]) -> None:
    """Counted as `too_many_pipelined`, and not answered, as earlier ones are still to be."""
    received = exchange(address, LIVE * 5000)
    assert received.count(b"HTTP/1.1 ") == received.count(b"HTTP/1.1 200 ") <= MAX_PIPELINED
    assert _counted(address, "too_many_pipelined") >= 1


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", CHUNKED + b"x\r\n"], ids=["request", "body"])
def test_what_is_not_http_is_400(address: tuple[str, int], sent: bytes) -> None:
    check_error(exchange(address, sent), 400, "malformed_request")


def test_a_refusal_is_not_taken_for_the_answer_to_an_earlier_request(address: tuple[str, int]) -> None:
    received = exchange(address, LIVE + b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MAX_HEADERS + 1) + b"\r\n")
    assert not re.search(rb"HTTP/1.1 4\d\d ", received)


def test_more_connections_than_may_be_are_503(address: tuple[str, int]) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(address)) for _ in range(3 * MAX_CONNECTIONS)]
        answers = [answer for answer in map(until_closed, connections) if answer]
    assert 1 <= len(answers) <= 2 * MAX_CONNECTIONS
    for answer in answers:
        assert str(MAX_CONNECTIONS) in check_error(answer, 503, "too_many_connections")
        assert answer_in(answer)[1]["retry-after"] == "1"
    assert exchange(address, LIVE.replace(b"x\r\n", b"x\r\nConnection: close\r\n")).startswith(
        b"HTTP/1.1 200 "
    )


def test_what_was_refused_is_counted(address: tuple[str, int]) -> None:
    before = _counted(address, "malformed_request")
    exchange(address, b"nonsense\r\n\r\n")
    assert _counted(address, "malformed_request") == before + 1


def _counted(address: tuple[str, int], reason: str) -> float:
    text = httpx.get(f"http://{address[0]}:{address[1]}/metrics").text
    found = re.search(rf'resnet_serve_rejections_total{{reason="{reason}"}} (\d+)', text)
    return float(found[1]) if found else 0.0
