"""The body is counted and timed while it arrives, and refused beyond the limits."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from app.errors import ApiError
from app.http.error_handlers import render
from app.http.middleware.body_limit import BodyLimit

LIMIT = 1000


async def _length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def _answer(_: Request, error: Exception) -> httpx.Response:
    assert isinstance(error, ApiError)
    return render(error)  # type: ignore[return-value]


def _post(
    content: bytes | AsyncIterator[bytes], headers: dict[str, str] | None = None, seconds: float = 60
) -> httpx.Response:
    app = Starlette(
        routes=[Route("/", _length, methods=["POST"])],
        exception_handlers={ApiError: _answer},  # type: ignore[dict-item]
    )
    transport = httpx.ASGITransport(BodyLimit(app, LIMIT, seconds, 10 * LIMIT))

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


@pytest.mark.parametrize("pause", [0.02, 60], ids=["slow", "stopped"])
def test_a_body_that_takes_too_long_is_refused_with_408(pause: float) -> None:
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


def test_a_body_that_is_there_may_be_read_late_and_its_client_be_watched_for_long() -> None:
    """Only waiting for the body has a limit: not the application, nor its wait for the client to leave."""
    messages: list[Message] = [
        {"type": "http.request", "body": b"a", "more_body": True},
        {"type": "http.request", "body": b"b"},
    ]
    received: list[Message] = []

    async def receive() -> Message:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(0.05)
        return {"type": "http.disconnect"}

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        await asyncio.sleep(0.05)
        received.extend([await receive() for _ in range(3)])

    async def send(_: Message) -> None:
        pytest.fail("nothing is to be sent")

    scope = {"type": "http", "method": "POST", "headers": []}
    asyncio.run(BodyLimit(app, LIMIT, 0.01, 10 * LIMIT)(scope, receive, send))
    assert [(each["type"], each.get("body")) for each in received] == [
        ("http.request", b"a"),
        ("http.request", b"b"),
        ("http.disconnect", None),
    ]


def test_a_stated_length_beyond_the_limit_is_refused_before_reading() -> None:
    async def receive() -> Message:
        pytest.fail("the body was read")

    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pytest.fail("the application was called")

    scope = {"type": "http", "method": "POST", "headers": [(b"content-length", b"1001")]}
    asyncio.run(BodyLimit(app, LIMIT, 60, 10 * LIMIT)(scope, receive, send))
    assert messages[0]["status"] == 413


def test_other_protocols_pass_untouched() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def unused() -> Message:
        pytest.fail("nothing is to be received")

    async def send(_: Message) -> None:
        pytest.fail("nothing is to be sent")

    asyncio.run(BodyLimit(app, LIMIT, 60, 10 * LIMIT)({"type": "lifespan"}, unused, send))
    assert seen == ["lifespan"]


def test_bodies_that_are_held_together_have_a_limit_and_those_that_are_answered_do_not_count() -> None:
    """429 `overloaded` for the one that is too much; the connection is closed."""
    finish = asyncio.Event()
    results: list[int] = []

    async def hold(_scope: Scope, receive: Receive, _send: Send) -> None:
        message = await receive()
        results.append(len(message["body"]))
        await finish.wait()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * 400}

    async def send(_: Message) -> None:
        pytest.fail("nothing is to be sent")

    async def ask() -> None:
        limited = BodyLimit(hold, LIMIT, 60, LIMIT)
        for _ in range(2):
            finish.clear()
            kept = [
                asyncio.create_task(limited({"type": "http", "headers": []}, receive, send)) for _ in range(2)
            ]
            await asyncio.sleep(0.01)
            with pytest.raises(ApiError, match="hold more than 1000 bytes") as refused:
                await limited({"type": "http", "headers": []}, receive, send)
            assert (refused.value.status, refused.value.code) == (429, "overloaded")
            assert refused.value.headers == {"Connection": "close"}
            finish.set()
            await asyncio.gather(*kept)

    asyncio.run(ask())
    assert results == [400] * 4
