"""A straight way to the one endpoint where every tenth of a millisecond counts."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import to_api_error

Endpoint = Callable[[Request], Awaitable[Response]]


class DirectRoutes:
    """Pure ASGI middleware: calls the endpoint of a method and path itself, past routing and dependencies.

    FastAPI takes longer to find a route and to solve its dependencies than decoding a small image takes. An
    endpoint here stays declared as a FastAPI route too, which documents it and which defines what it does:
    the tests send the same requests both ways. Errors are answered in the same shape.
    """

    def __init__(self, app: ASGIApp, endpoints: Mapping[tuple[str, str], Endpoint]) -> None:
        self.app = app
        self.endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self.endpoints.get((scope.get("method", ""), scope.get("path", "")))
        if endpoint is None:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request)
        except Exception as error:
            answer = to_api_error(error, request)
            if answer.status == 500:
                raise  # answered and logged by the outermost layer, as for every route
            response = answer.response()
        await response(scope, receive, send)
