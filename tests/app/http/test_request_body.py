"""The body of a request is counted and timed while it arrives, and rejected beyond its bounds."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from app.errors import ApiError
from app.http.content_encoding import MAX_MEMBERS, PIECE_BYTES, decompress, is_compressed
from app.http.error_handlers import render
from app.http.request_scope import BodyLimits, RequestBody
from app.inference.request_scope import Deadline

LIMIT = 1000


async def _length(request: Request) -> PlainTextResponse:
    with RequestBody(request) as body:
        return PlainTextResponse(str(len(await body.receive())))


async def _respond(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return render(error)


def _post(
    content: bytes | AsyncIterator[bytes], headers: dict[str, str] | None = None, seconds: float = 60
) -> httpx.Response:
    app = Starlette(routes=[Route("/", _length, methods=["POST"])], exception_handlers={ApiError: _respond})
    app.state.body_limits = BodyLimits(LIMIT, seconds, 10 * LIMIT)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/", content=content, headers=headers)

    response = asyncio.run(send())
    assert app.state.body_limits.held == 0
    return response


async def _stream(chunks: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(chunks):
        yield b"x" * size


def test_a_body_of_exactly_the_limit_passes() -> None:
    assert _post(b"x" * LIMIT).text == str(LIMIT)
    assert _post(_stream(10, LIMIT // 10)).text == str(LIMIT)


@pytest.mark.parametrize("stated", [True, False], ids=["with Content-Length", "streamed"])
def test_one_byte_more_is_413(stated: bool) -> None:
    response = _post(b"x" * (LIMIT + 1) if stated else _stream(LIMIT + 1, 1))
    assert response.status_code == 413
    assert response.json() == {
        "error": {
            "code": "body_too_large",
            "message": "the request body is larger than 1000 bytes",
            "field": None,
        }
    }
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize("stated", ["10", "-1", "9" * 5000, "²"])
def test_a_content_length_that_is_not_true_does_not_help(stated: str) -> None:
    headers = {"Content-Length": stated.encode("latin-1")}
    assert _post(_stream(2, LIMIT), headers).status_code == 413  # type: ignore[arg-type]


def test_no_more_is_read_after_the_limit() -> None:
    """An endless body costs no more than the limit and one chunk."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 100
            yield b"x" * 100

    assert _post(endless()).status_code == 413
    assert sent <= LIMIT + 200


@pytest.mark.parametrize("pause", [0.02, 60], ids=["slow", "stopped"])
def test_a_body_that_takes_too_long_is_408(pause: float) -> None:
    """However soon each of its parts follows the one before."""

    async def slow() -> AsyncIterator[bytes]:
        for _ in range(LIMIT):
            yield b"x"
            await asyncio.sleep(pause)

    response = _post(slow(), seconds=0.2)
    assert response.status_code == 408
    assert response.json()["error"] == {
        "code": "body_too_slow",
        "message": "the request body did not arrive within 0.2 s",
        "field": None,
    }
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize(("seconds", "status"), [(0.05, 504), (0.1, 408), (60, 408)])
def test_the_sooner_of_both_limits_is_told(seconds: float, status: int) -> None:
    async def receive_slowly() -> Message:
        await asyncio.Event().wait()
        pytest.fail("nothing comes")

    async def receive() -> None:
        deadline = Deadline(asyncio.get_running_loop().time() + seconds, seconds)
        request = _request(BodyLimits(LIMIT, 0.1, LIMIT))
        with RequestBody(Request(request.scope, receive_slowly)) as body:
            await body.receive(deadline)

    with pytest.raises(ApiError) as caught:
        asyncio.run(receive())
    assert caught.value.status == status
    assert caught.value.headers == {"Connection": "close"}


def _request(
    limits: BodyLimits, *messages: Message, headers: list[tuple[bytes, bytes]] | None = None
) -> Request:
    queue = list(messages)

    async def receive() -> Message:
        if not queue:
            pytest.fail("more was read than there is")
        return queue.pop(0)

    app = Starlette()
    app.state.body_limits = limits
    return Request({"type": "http", "method": "POST", "app": app, "headers": headers or []}, receive)


def _whole(size: int) -> Message:
    return {"type": "http.request", "body": b"x" * size}


def test_a_stated_length_beyond_the_limit_is_413_before_reading() -> None:
    request = _request(BodyLimits(LIMIT, 60, 10 * LIMIT), headers=[(b"content-length", b"1001")])

    async def read() -> None:
        with RequestBody(request) as body:
            await body.receive()

    with pytest.raises(ApiError) as rejected:
        asyncio.run(read())
    assert rejected.value.status == 413


def test_a_client_that_leaves_in_the_middle_is_499() -> None:
    limits = BodyLimits(LIMIT, 60, 10 * LIMIT)
    begun: Message = {"type": "http.request", "body": b"x", "more_body": True}

    async def read() -> None:
        with RequestBody(_request(limits, begun, {"type": "http.disconnect"})) as body:
            await body.receive()

    with pytest.raises(ApiError) as left:
        asyncio.run(read())
    assert (left.value.status, limits.held) == (499, 0)


def test_bodies_that_are_held_together_have_a_limit_and_those_that_are_left_do_not_count() -> None:
    """429 `overloaded` for the one that is too much; the connection is closed."""
    limits = BodyLimits(LIMIT, 60, LIMIT)

    async def read() -> None:
        with (
            RequestBody(_request(limits, _whole(400))) as first,
            RequestBody(_request(limits, _whole(400))) as second,
        ):
            await first.receive()
            await second.receive()
            with (
                RequestBody(_request(limits, _whole(400))) as third,
                pytest.raises(ApiError, match="hold more than 1000 bytes") as rejected,
            ):
                await third.receive()
            assert (rejected.value.status, rejected.value.code) == (429, "overloaded")
            assert rejected.value.headers == {"Connection": "close"}
            assert limits.held == 800
        assert limits.held == 0

    for _ in range(2):
        asyncio.run(read())


def test_what_comes_out_of_a_body_counts_like_all_others() -> None:
    limits = BodyLimits(LIMIT, 60, LIMIT)
    with RequestBody(_request(limits)) as body:
        body.hold_decompressed(600)
        with pytest.raises(ApiError, match="1000 bytes once it is decompressed") as rejected:
            body.hold_decompressed(401)
        assert rejected.value.status == 413
        with RequestBody(_request(limits)) as other:
            with pytest.raises(ApiError, match="hold more than 1000 bytes") as overloaded:
                other.hold_decompressed(401)
            assert overloaded.value.status == 429
        assert limits.held == 600
    assert limits.held == 0
    with pytest.raises(ApiError, match="closed the connection"):
        other.hold_decompressed(1)  # by a thread that goes on after its deadline
    assert limits.held == 0


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", " GZIP "])
@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 5 * PIECE_BYTES])
def test_a_compressed_body_comes_out_as_it_was(encoding: str, size: int) -> None:
    content = bytes(index * 7 % 251 for index in range(size))
    packed = zlib.compress(content) if encoding == "deflate" else gzip.compress(content)
    held: list[int] = []
    assert is_compressed(encoding)
    assert decompress(packed, encoding, held.append) == content
    assert sum(held) == size
    assert max(held, default=0) <= PIECE_BYTES


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, 3 * PIECE_BYTES])
@pytest.mark.parametrize("members", [2, MAX_MEMBERS])
def test_a_gzip_body_may_have_several_members(size: int, members: int) -> None:
    content = b"a" * size
    packed = gzip.compress(content) + gzip.compress(b"b") * (members - 1)
    assert decompress(packed, "gzip", lambda _: None) == content + b"b" * (members - 1)
    with pytest.raises(ApiError, match="not valid deflate"):
        decompress(zlib.compress(content) * 2, "deflate", lambda _: None)


def test_no_more_is_decompressed_once_it_is_too_much() -> None:
    """Of 100 MB in 100 kB, one piece beyond the limit is made."""
    held: list[int] = []

    def hold(size: int) -> None:
        held.append(size)
        if sum(held) > LIMIT:
            raise ApiError(413, "body_too_large", "too large")

    with pytest.raises(ApiError, match="too large"):
        decompress(gzip.compress(bytes(100_000_000), 1), "gzip", hold)
    assert sum(held) <= LIMIT + PIECE_BYTES


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"plain",
        gzip.compress(b"x" * 999, mtime=0)[:-1],
        gzip.compress(b"x", mtime=0) + b"y",
        gzip.compress(b"x", mtime=0) + gzip.compress(b"y", mtime=0)[:-1],
        gzip.compress(b"", mtime=0) * (MAX_MEMBERS + 1),
    ],
    ids=["empty", "plain", "cut off", "followed", "second cut off", "too many members"],
)
def test_a_damaged_stream_is_400(packed: bytes) -> None:
    with pytest.raises(ApiError) as rejected:
        decompress(packed, "gzip", lambda _: None)
    assert (rejected.value.status, rejected.value.code) == (400, "damaged_body")


def test_encodings() -> None:
    assert not any(map(is_compressed, (None, "", "identity", "Identity ")))
    with pytest.raises(ApiError, match="must be one of gzip") as rejected:
        is_compressed("br")
    assert (rejected.value.status, rejected.value.field) == (415, "Content-Encoding")
