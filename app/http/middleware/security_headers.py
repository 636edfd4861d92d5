"""What browsers are told about every answer: that the page needs nothing but its own files, and no more."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NOTHING_ELSE = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    f"connect-src 'self'; {_NOTHING_ELSE}"
)
DOCS_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'unsafe-inline' https://cdn.jsdelivr.net; "
    f"img-src 'self' data: https://fastapi.tiangolo.com; connect-src 'self'; {_NOTHING_ELSE}"
)
"""Of /docs alone, whose Swagger UI comes from a host that delivers packages."""

COMMON = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


class SecurityHeaders:
    """Pure ASGI middleware: adds the headers to all answers, after those that an answer has by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._page = [*COMMON, (b"content-security-policy", PAGE_POLICY.encode())]
        self._docs = [*COMMON, (b"content-security-policy", DOCS_POLICY.encode())]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        added = self._docs if scope["path"] == "/docs" else self._page

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self.app(scope, receive, with_headers)
