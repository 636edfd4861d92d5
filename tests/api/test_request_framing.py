"""Where a request ends, over raw connections: who sees it otherwise lets requests be smuggled in."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from PIL import Image

from tests.support.server_process import ROOT, running
from tests.support.service import png_of

PNG = png_of(Image.new("RGB", (32, 32), "red"))
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

OFFERS = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    "tls": b"Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    "several": b"Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n",
}


@pytest.fixture(scope="module")
def url(model_dir: Path) -> Iterator[str]:
    with running(model_dir) as (_, url, _):
        yield url


@pytest.fixture(scope="module")
def address(url: str) -> tuple[str, int]:
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def _exchange(address: tuple[str, int], *segments: bytes, half_close: bool = False) -> bytes:
    """All that is answered to `segments`, each of which arrives by itself.

    A server that closes while more is on its way resets the connection; what it had answered counts.
    """
    received = b""
    with socket.create_connection(address, timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionResetError, BrokenPipeError):
            for i, segment in enumerate(segments):
                if i:
                    time.sleep(0.002)
                connection.sendall(segment)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            while more := connection.recv(65536):
                received += more
    return received


def _predict(headers: bytes, body: bytes = PNG, *, last: bool = True) -> bytes:
    close = b"Connection: close\r\n" if last else b""
    return (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n%s%sContent-Length: %d\r\n\r\n%s"
        % (headers, close, len(body), body)
    )


def _statuses(received: bytes) -> list[int]:
    return [int(piece[:3]) for piece in received.split(b"HTTP/1.1 ")[1:]]


def _interesting(request: bytes) -> list[int]:
    """Before and behind every end of a line, and a few places of the body."""
    head = request.index(b"\r\n\r\n")
    ends = [i + k for i in range(head + 4) if request[i : i + 2] == b"\r\n" for k in (-1, 0, 1, 2, 3)]
    return [*ends, head + 4, head + 5, (head + len(request)) // 2, len(request) - 1]


@pytest.mark.parametrize("offer", OFFERS)
def test_an_offer_of_another_protocol_is_ignored_wherever_the_request_is_cut(
    address: tuple[str, int], offer: str
) -> None:
    request = _predict(OFFERS[offer])
    for place in _interesting(request):
        received = _exchange(address, request[:place], request[place:])
        assert _statuses(received) == [200], (place, received)


def test_it_may_come_a_byte_at_a_time(address: tuple[str, int]) -> None:
    request = _predict(OFFERS["h2c"])
    assert _statuses(_exchange(address, *[request[i : i + 1] for i in range(len(request))])) == [200]


@pytest.mark.parametrize("offer", OFFERS)
def test_no_byte_of_a_body_is_a_request(address: tuple[str, int], offer: str) -> None:
    request = _predict(OFFERS[offer], SMUGGLED)
    body = request.index(SMUGGLED)
    for place in (body - 1, body, body + 1, body + 20):
        received = _exchange(address, request[:place], request[place:])
        assert _statuses(received) == [415], received
        assert b"smuggled" not in received


@pytest.mark.parametrize("offer", OFFERS)
def test_requests_before_and_behind_an_offer_are_answered_in_their_order(
    address: tuple[str, int], offer: str
) -> None:
    live = b"GET /health/live HTTP/1.1\r\nHost: x\r\n%s\r\n"
    requests = [live % b"", _predict(OFFERS[offer], last=False), live % OFFERS[offer], _predict(b"")]
    whole = b"".join(requests)
    for segments in (requests, [whole], [whole[:100], whole[100:]]):
        received = _exchange(address, *segments)
        assert _statuses(received) == [200] * 4
        assert [part[:9] for part in received.split(b"\r\n\r\n")[1:]] == [
            b'{"status"', b'{"model":', b'{"status"', b'{"model":',
        ]  # fmt: skip


def test_a_chunked_body_behind_an_offer_is_read(address: tuple[str, int]) -> None:
    head = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n"
        + OFFERS["h2c"]
        + b"Connection: close\r\n\r\n"
    )
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(PNG), PNG)
    assert _statuses(_exchange(address, head, chunks)) == [200]
    assert _statuses(_exchange(address, head + chunks)) == [200]


def test_curls_offer_of_http_2_is_ignored(url: str) -> None:
    if not shutil.which("curl"):
        pytest.skip("there is no curl")
    image = ROOT / "app" / "static" / "samples" / "cat.png"
    command = ["curl", "--silent", "--http2", "--form", f"file=@{image}", f"{url}/predict"]
    ran = subprocess.run(command, capture_output=True, check=True)
    assert "predictions" in json.loads(ran.stdout)


@pytest.mark.parametrize(
    "head",
    [
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity, chunked\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
        b"POST /predict HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nHost: y\r\n" + OFFERS["h2c"] + b"\r\n",
        b"CONNECT example.org:80 HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_400_in_our_shape(address: tuple[str, int], head: bytes) -> None:
    received = _exchange(address, head, b"0\r\n\r\n" + SMUGGLED)
    assert _statuses(received) == [400], received
    body = json.loads(received.partition(b"\r\n\r\n")[2])
    assert body["error"]["code"] == "malformed_request"
    assert b"connection: close" in received.partition(b"\r\n\r\n")[0].lower()


def test_http_1_0_needs_no_host(address: tuple[str, int]) -> None:
    assert _statuses(_exchange(address, b"GET /health/live HTTP/1.0\r\n\r\n")) == [200]


def test_a_client_that_has_ended_its_sending_is_answered(address: tuple[str, int]) -> None:
    live = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    predict = _predict(b"", last=False)
    assert _statuses(_exchange(address, predict, half_close=True)) == [200]
    assert _statuses(_exchange(address, live + predict + live, half_close=True)) == [200] * 3
    # The last one is cut off; there is nothing to answer, and those before are.
    assert _statuses(_exchange(address, live + predict + live[:-2], half_close=True)) == [200] * 2
    assert _statuses(_exchange(address, live + predict + predict[:-2], half_close=True)) == [200] * 2
    assert _exchange(address, predict[:-2], half_close=True) == b""


def test_pipelined_pictures_are_answered_or_left_without_a_traceback(model_dir: Path) -> None:
    preview = b"GET /augment-preview?rows=8&cols=8 HTTP/1.1\r\nHost: x\r\n\r\n"
    with running(model_dir) as (process, url, _):
        host, port = url.removeprefix("http://").split(":")
        address = host, int(port)
        last = preview.replace(b"Host", b"Connection: close\r\nHost")
        assert _statuses(_exchange(address, preview * 4 + last)) == [200] * 5
        for seconds in (0, 0.01, 0.05, 0.1, 0.3):
            with socket.create_connection(address, timeout=60) as connection:
                connection.sendall(preview * 8)
                time.sleep(seconds)
        time.sleep(1)
        assert _statuses(_exchange(address, last)) == [200]
        process.terminate()
        assert process.communicate(timeout=60)[1] == ""
