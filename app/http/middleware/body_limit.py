"""Bounds on the request body, while it arrives: how large, how slow, and how much of all of them at once."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ApiError
from app.http.error_handlers import render


class BodyLimit:
    """Pure ASGI middleware: refuses a body of more than `max_bytes` with status 413 `body_too_large`.

    A body that says it is too large is refused before any of it is read; any other is counted chunk by chunk,
    so that a wrong or missing Content-Length helps nobody. Nothing is buffered here. A body that is not there
    after `seconds` is refused with status 408 `body_too_slow`, however soon each of its parts follows the one
    before. A body with which all requests that are not answered yet would hold more than `max_total_bytes`
    is refused with status 429 `overloaded`. The connection is closed after a refusal, because the rest may
    still be on its way.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float, max_total_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.seconds = seconds
        self.max_total_bytes = max_total_bytes
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._stated_length(scope) > self.max_bytes:
            await render(self._too_large(), scope.get("path", ""))(scope, receive, send)
            return

        received = 0
        arrived = False
        latest = asyncio.get_running_loop().time() + self.seconds

        async def bounded() -> Message:
            nonlocal received, arrived
            if arrived:
                return await receive()  # which waits for the client to leave
            try:
                async with asyncio.timeout_at(latest):
                    message = await receive()
            except TimeoutError:
                raise self._too_slow() from None
            arrived = not message.get("more_body", False)
            size = len(message.get("body", b""))
            received += size
            self._held += size
            if received > self.max_bytes:
                raise self._too_large()
            if self._held > self.max_total_bytes:
                raise self._too_many()
            return message

        try:
            await self.app(scope, bounded, send)
        finally:
            self._held -= received

    def _stated_length(self, scope: Scope) -> int:
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit():
                return int(value)
        return 0

    def _too_large(self) -> ApiError:
        message = f"the request body is larger than {self.max_bytes} bytes"
        return ApiError(413, "body_too_large", message, headers={"Connection": "close"})

    def _too_many(self) -> ApiError:
        message = f"the bodies of all requests hold more than {self.max_total_bytes} bytes; try again later"
        return ApiError(429, "overloaded", message, headers={"Connection": "close"})

    def _too_slow(self) -> ApiError:
        message = f"the request body did not arrive within {self.seconds:g} s"
        return ApiError(408, "body_too_slow", message, headers={"Connection": "close"})
