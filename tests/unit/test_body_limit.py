"""The body is counted while it arrives and refused beyond the limit."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from app.body_limit import BodyLimit
from app.errors import ApiError

LIMIT = 1000


async def _length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def _answer(_: Request, error: Exception) -> httpx.Response:
    assert isinstance(error, ApiError)
    return error.response()  # type: ignore[return-value]


def _post(content: bytes | AsyncIterator[bytes], headers: dict[str, str] | None = None) -> httpx.Response:
    app = Starlette(
        routes=[Route("/", _length, methods=["POST"])],
        exception_handlers={ApiError: _answer},  # type: ignore[dict-item]
    )
    transport = httpx.ASGITransport(BodyLimit(app, LIMIT))

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/", content=content, headers=headers)

    return asyncio.run(send())


async def _stream(chunks: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(chunks):
        yield b"x" * size


def test_a_body_of_exactly_the_limit_passes() -> None:
    assert _post(b"x" * LIMIT).text == str(LIMIT)
    assert _post(_stream(10, LIMIT // 10)).text == str(LIMIT)


@pytest.mark.parametrize("stated", [True, False], ids=["with Content-Length", "streamed"])
def test_one_byte_more_is_refused_with_413(stated: bool) -> None:
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


def test_a_content_length_that_states_too_little_does_not_help() -> None:
    assert _post(_stream(2, LIMIT), {"Content-Length": "10"}).status_code == 413


def test_a_content_length_that_is_no_number_does_not_help() -> None:
    assert _post(_stream(2, LIMIT), {"Content-Length": "-1"}).status_code == 413


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


def test_a_stated_length_beyond_the_limit_is_refused_before_reading() -> None:
    async def receive() -> Message:
        pytest.fail("the body was read")

    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pytest.fail("the application was called")

    scope = {"type": "http", "method": "POST", "headers": [(b"content-length", b"1001")]}
    asyncio.run(BodyLimit(app, LIMIT)(scope, receive, send))
    assert messages[0]["status"] == 413


def test_other_protocols_pass_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def unused() -> Message:
        pytest.fail("nothing is to be received")

    async def send(_: Message) -> None:
        pytest.fail("nothing is to be sent")

    asyncio.run(BodyLimit(app, LIMIT)({"type": "lifespan"}, unused, send))
    assert seen == ["lifespan"]
