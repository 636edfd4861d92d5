"""Health checks and metrics of a service that has all its connections, and what nobody gets besides."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.server.spare_connections import SPARE_CONNECTIONS
from tests.support.raw_connection import (
    LIVE,
    answer_in,
    check_error,
    connect,
    drip,
    exchange,
    require_live,
    until_closed,
)
from tests.support.server_process import running

MAX_CONNECTIONS = 3
LONG = 600
SPARE_SECONDS = 1.0
"""Less than usual, so that the tests do not wait for so long."""

SERVE = f"""
import sys
from app.server import connection
connection.SPARE_SECONDS = connection.MOMENT_SECONDS = {SPARE_SECONDS / 2}
from app.__main__ import main
sys.exit(main(["serve", "--port", "0"]))
"""
METRICS = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
OTHER = METRICS.replace(b"/metrics", b"/predict")

Address = tuple[str, int]


@pytest.fixture(scope="module")
def started(model_dir: Path) -> Iterator[Address]:
    """A server whose usual times are too long to end a connection within a test, but for spare ones."""
    limits = {
        "RESNET_SERVE_MAX_CONNECTIONS": str(MAX_CONNECTIONS),
        "RESNET_SERVE_HEADER_SECONDS": str(LONG),
        "RESNET_SERVE_KEEP_ALIVE_SECONDS": str(LONG),
    }
    with running(model_dir, limits, [sys.executable, "-c", SERVE]) as (_, url, _):
        host, port = url.removeprefix("http://").split(":")
        yield host, int(port)


@pytest.fixture
def full(started: Address) -> Iterator[Address]:
    """The same once it has as many connections as it may have."""
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            _wait_until_not_full(started)
            require_live(stack.enter_context(connect(started)))
        yield started
    _wait_until_not_full(started)


def _wait_until_not_full(address: Address) -> None:
    deadline = time.monotonic() + 60
    while True:
        with connect(address) as connection:
            connection.sendall(LIVE)
            if b"connection: close" not in connection.recv(65536):
                return
        assert time.monotonic() < deadline


def _refused(address: Address) -> float:
    text = httpx.get(f"http://{address[0]}:{address[1]}/metrics").text
    lines = [line for line in text.splitlines() if 'reason="too_many_connections"' in line]
    return sum(float(line.split()[-1]) for line in lines)


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"])
def test_a_full_service_answers_a_health_check_and_closes(full: Address, path: str) -> None:
    for _ in range(SPARE_CONNECTIONS + 1):  # each of which gives its place back
        status, headers, _ = answer_in(exchange(full, LIVE.replace(b"/health/live", path.encode())))
        assert (status, headers["connection"]) == (200, "close")


@pytest.mark.parametrize(
    "target",
    [
        b"GET /predict",
        b"GET /healthy",
        b"GET /predict?a=/health/live",
        b"GET http://x/health/live",
        b"GET /metrics/",
        b"POST /metrics",
        b"GET /predict?/metrics",
    ],
)
def test_all_else_is_refused(full: Address, target: bytes) -> None:
    check_error(exchange(full, LIVE.replace(b"GET /health/live", target)), 503, "too_many_connections")


def test_a_full_service_tells_prometheus_how_many_it_refuses(full: Address) -> None:
    exchange(full, OTHER)
    for target in (b"/metrics", b"/metrics?a=b"):
        answer = exchange(full, METRICS.replace(b"/metrics", target))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b'resnet_serve_rejections_total{reason="too_many_connections"} ' in answer


def test_what_follows_a_health_check_is_not_answered(full: Address) -> None:
    for start in (LIVE, LIVE.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")):
        received = exchange(full, start + METRICS)
        assert answer_in(received)[0] == 200
        assert b"resnet_serve_" not in received


@pytest.mark.parametrize("sent", ["nothing", "headers without end", "a body that does not come"])
def test_a_spare_connection_lasts_for_its_time_whatever_it_sends(full: Address, sent: str) -> None:
    started = time.monotonic()
    if sent == "nothing":
        check_error(exchange(full), 503, "too_many_connections")
    elif sent == "headers without end":
        received = drip(full, LIVE.removesuffix(b"\r\n"), b"a: b\r\n")
        check_error(received, 503, "too_many_connections")
    else:
        received = exchange(full, LIVE.replace(b"\r\n\r\n", b"\r\nContent-Length: 9999999\r\n\r\n"))
        assert answer_in(received)[0] == 200
    lasted = time.monotonic() - started
    assert (sent == "a body that does not come") or lasted >= 0.9 * SPARE_SECONDS
    assert lasted < 5 * SPARE_SECONDS


def test_when_the_spare_ones_are_taken_the_next_is_refused_at_once(full: Address) -> None:
    with ExitStack() as stack:
        spare = [stack.enter_context(connect(full)) for _ in range(SPARE_CONNECTIONS)]
        refused = stack.enter_context(connect(full))
        check_error(until_closed(refused), 503, "too_many_connections")
        for connection in spare:
            check_error(until_closed(connection), 503, "too_many_connections")
    assert answer_in(exchange(full, LIVE))[0] == 200


def test_each_refusal_is_counted_once_and_what_is_answered_is_not(started: Address) -> None:
    before = _refused(started)
    with ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            require_live(stack.enter_context(connect(started)))
        exchange(started, LIVE)
        exchange(started, METRICS)
        exchange(started, OTHER)
        exchange(started)
        silent = [stack.enter_context(connect(started)) for _ in range(SPARE_CONNECTIONS + 2)]
        for connection in silent:
            until_closed(connection)
    _wait_until_not_full(started)
    assert _refused(started) == before + 2 + SPARE_CONNECTIONS + 2
