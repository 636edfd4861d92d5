"""The service in process, with a small model, over httpx."""

import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

import httpx
from anyio.from_thread import start_blocking_portal
from fastapi import FastAPI
from PIL import Image

Request = Callable[..., httpx.Response]


class Client:
    """Synchronous requests to an app whose lifespan runs meanwhile, on one event loop."""

    def __init__(self, app: FastAPI, request: Request) -> None:
        self.app = app
        self._request = request

    def get(self, path: str, **options: object) -> httpx.Response:
        return self._request("GET", path, **options)

    def post(self, path: str, **options: object) -> httpx.Response:
        return self._request("POST", path, **options)

    def request(self, method: str, path: str, **options: object) -> httpx.Response:
        return self._request(method, path, **options)


@contextmanager
def running(app: FastAPI) -> Iterator[Client]:
    """Enter the app's lifespan and yield a client; an error in a route becomes its answer, as on a server."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(app.router.lifespan_context(app)),
    ):

        async def send(method: str, path: str, options: dict[str, object]) -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)  # type: ignore[arg-type]

        yield Client(app, lambda method, path, **options: portal.call(send, method, path, options))


def png_of(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


async def chunks(content: bytes, size: int) -> AsyncIterator[bytes]:
    """`content` as a stream of unknown length."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def error_of(response: httpx.Response) -> dict[str, str | None]:
    """The error of an answer, after a check of the one shape that all errors have."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "field"}
    error: dict[str, str | None] = body["error"]
    return error
