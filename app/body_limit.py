"""A bound on the request body, counted while it arrives."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ApiError


class BodyLimit:
    """Pure ASGI middleware: refuses a body of more than `max_bytes` with status 413 `body_too_large`.

    A body that says it is too large is refused before any of it is read; any other is counted chunk by chunk,
    so that a wrong or missing Content-Length helps nobody. Nothing is buffered here. The connection is closed
    after a refusal, because the rest of the body may still be on its way.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self._stated_length(scope) > self.max_bytes:
            await self._refusal().response(scope.get("path", ""))(scope, receive, send)
            return

        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.max_bytes:
                raise self._refusal()
            return message

        await self.app(scope, counted, send)

    def _stated_length(self, scope: Scope) -> int:
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit():
                return int(value)
        return 0

    def _refusal(self) -> ApiError:
        message = f"the request body is larger than {self.max_bytes} bytes"
        return ApiError(413, "body_too_large", message, headers={"Connection": "close"})
