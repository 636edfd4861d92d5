"""Every request is counted once: by route template, method and what became of it."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.middleware.telemetry import RequestTelemetry
from app.observability.metrics import ServiceMetrics
from tests.support.exposition import samples


def _counts(metrics: ServiceMetrics) -> dict[tuple[str, str, str], float]:
    """(route, method, status) -> requests."""
    counts = {}
    for name, value in samples(metrics.exposition().decode()).items():
        if name.startswith("resnet_serve_requests_total{"):
            _, method, _, route, _, status, _ = name.split('"')
            counts[route, method, status] = value
    return counts


def _fastapi() -> FastAPI:
    app = FastAPI()

    @app.get("/models/{name}")
    async def model(name: str) -> str:
        return name

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("on fire")

    app.mount("/static", PlainTextResponse("file"))
    return app


def _ask(app: Starlette, *requests: tuple[str, str]) -> dict[tuple[str, str, str], float]:
    """Send each (method, path) to `app` and return what was counted."""
    metrics = ServiceMetrics()
    app.add_middleware(RequestTelemetry, metrics=metrics)

    async def send() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for method, path in requests:
                await client.request(method, path)

    asyncio.run(send())
    return _counts(metrics)


def test_routes_are_counted_by_template() -> None:
    counts = _ask(_fastapi(), ("GET", "/models/a"), ("GET", "/models/b"), ("POST", "/models/a"))
    assert counts == {("/models/{name}", "GET", "200"): 2, ("/models/{name}", "POST", "405"): 1}


def test_routes_of_starlette_and_mounts_are_known_too() -> None:
    counts = _ask(_fastapi(), ("GET", "/docs"), ("GET", "/static/a.css"), ("GET", "/static/b.css"))
    assert counts == {("/docs", "GET", "200"): 1, ("/static", "GET", "200"): 2}


def test_what_the_client_makes_up_is_no_label() -> None:
    counts = _ask(_fastapi(), ("GET", "/a"), ("GET", "/b"), ("BREW", "/c"))
    assert counts == {("unmatched", "GET", "404"): 2, ("unmatched", "other", "404"): 1}


def test_an_error_that_no_route_handles_is_a_500() -> None:
    assert _ask(_fastapi(), ("GET", "/broken")) == {("/broken", "GET", "500"): 1}


def _run(
    endpoint: Callable[[Request], Awaitable[PlainTextResponse | StreamingResponse]],
    received: list[Message],
) -> tuple[dict[tuple[str, str, str], float], type[BaseException] | None]:
    """What was counted of one request whose client sends `received`, and the error that came through."""
    metrics = ServiceMetrics()
    app = Starlette(routes=[Route("/", endpoint, methods=["POST"])], middleware=[])
    app.add_middleware(RequestTelemetry, metrics=metrics)
    messages = iter(received)

    async def receive() -> Message:
        return next(messages)

    async def send(_: Message) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    error = None
    try:
        asyncio.run(app(scope, receive, send))
    except BaseException as caught:  # noqa: BLE001 - whatever it is, it must be what the route raised
        error = type(caught)
    return _counts(metrics), error


def test_a_client_that_leaves_in_the_middle_of_its_body() -> None:
    async def endpoint(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(len(await request.body())))

    counts, _ = _run(
        endpoint,
        [{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}],
    )
    assert counts == {("/", "POST", "499"): 1}


def test_a_client_that_leaves_while_it_waits() -> None:
    async def endpoint(request: Request) -> PlainTextResponse:
        assert await request.is_disconnected()
        return PlainTextResponse("nobody reads this")

    assert _run(endpoint, [{"type": "http.disconnect"}])[0] == {("/", "POST", "499"): 1}


def test_an_answer_that_breaks_off_is_a_500() -> None:
    async def endpoint(_: Request) -> StreamingResponse:
        async def body() -> object:
            yield b"half"
            raise RuntimeError("on fire")

        return StreamingResponse(body())  # type: ignore[arg-type]

    counts, error = _run(endpoint, [])
    assert counts == {("/", "POST", "500"): 1}
    assert error is not None


def test_a_request_that_is_cancelled_is_a_500_and_stays_cancelled() -> None:
    async def endpoint(_: Request) -> PlainTextResponse:
        raise asyncio.CancelledError

    assert _run(endpoint, []) == ({("/", "POST", "500"): 1}, asyncio.CancelledError)


def test_a_request_is_counted_before_the_end_of_its_answer_is_sent() -> None:
    """So that a client that has its answer finds itself counted."""
    metrics = ServiceMetrics()
    counted_at: list[float] = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    async def send(_: Message) -> None:
        counted_at.append(sum(_counts(metrics).values()))

    async def receive() -> Message:
        pytest.fail("nothing is to be received")

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "app": Starlette()}
    asyncio.run(RequestTelemetry(app, metrics)(scope, receive, send))
    assert counted_at == [0, 0, 1]


def test_other_protocols_pass_uncounted() -> None:
    metrics = ServiceMetrics()
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def unused(*_: object) -> Message:
        pytest.fail("nothing is to be sent or received")

    middleware: ASGIApp = RequestTelemetry(app, metrics)
    asyncio.run(middleware({"type": "lifespan"}, unused, unused))  # type: ignore[arg-type]
    assert (seen, _counts(metrics)) == (["lifespan"], {})
