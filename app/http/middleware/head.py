"""The methods of a path: HEAD wherever there is GET, and which they are for a request by another one."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

DECLARED = ("GET", "POST")
"""All that routes of the service are declared with."""


class HeadRequests:
    """Pure ASGI middleware: answers HEAD as GET would be answered, without the body, as RFC 9110 has it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return
        inner = {**scope, "method": "GET"}

        async def without_body(message: Message) -> None:
            if "route" in inner:
                scope["route"] = inner["route"]  # for what counts requests by route, further out
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self.app(inner, receive, without_body)


def allowed_methods(routes: Iterable[BaseRoute], path: str) -> list[str]:
    """What `Allow` is to say of `path`: the methods of all its routes; none in a mounted folder."""
    declared = [route for route in routes if not isinstance(route, Mount)]
    scope: Scope = {"type": "http", "path": path, "root_path": "", "headers": []}
    found = [
        method
        for method in DECLARED
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in declared)
    ]
    return ["GET", "HEAD", *found[1:]] if "GET" in found else found
