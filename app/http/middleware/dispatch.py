"""From a request's method and path to its endpoint: the fast path, HEAD, and errors that nobody expected."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from fastapi import Request, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ApiError
from app.http.error_handlers import error_response
from app.observability.tracing import name_span

Endpoint = Callable[[Request], Awaitable[Response]]

MAX_PARAMETERS = 200
"""Of a query, several times what any route has; each unknown one would be an error of its own."""


class Dispatch:
    """Pure ASGI middleware, innermost of all.

    Calls the endpoints of `fast_path` itself, past routing and dependencies: FastAPI takes longer to find a
    route and to solve its dependencies than decoding a small image takes. Such an endpoint stays declared as
    a FastAPI route too, which documents it and which defines what it does: the tests send the same requests
    both ways.

    HEAD is answered as GET would be, without the body, as RFC 9110 has it. A file is sent whole, whatever
    Range asks for, as RFC 9110, 14.2, allows: Starlette answers errors of it in words of its own, also where
    it has to ignore it. An unexpected error is answered here, inside of what adds headers for other web
    sites, and raised again for the server to log.

    The server cancels what runs too long when it is stopped; whoever waits for it is told so, by status 503.
    """

    def __init__(self, app: ASGIApp, fast_path: Mapping[tuple[str, str], Endpoint]) -> None:
        self.app = app
        self._fast_path = {
            (method, path): Route(path, endpoint, methods=[method])
            for (method, path), endpoint in fast_path.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope
        started = False

        async def watched_send(message: Message) -> None:
            nonlocal started
            started = True
            if inner is not scope:
                for found in ("route", "endpoint"):  # for what counts requests by route, further out
                    if found in inner:
                        scope[found] = inner[found]
                if message["type"] == "http.response.body":
                    message = {**message, "body": b""}
            await send(message)

        try:
            if scope["query_string"].count(b"&") >= MAX_PARAMETERS:
                message = f"the query has more than {MAX_PARAMETERS} parameters"
                raise ApiError(422, "too_many_parameters", message)
            route = self._fast_path.get((scope["method"], scope["path"]))
            if route is None:
                inner["headers"] = [header for header in inner["headers"] if header[0] != b"range"]
                await self.app(inner, receive, watched_send)
            else:
                await self._call(route, scope, receive, watched_send)
        except ApiError as error:
            await error_response(error, Request(scope, receive))(scope, receive, watched_send)
        except asyncio.CancelledError:
            work = asyncio.current_task()
            if started or work is None or not scope["app"].state.is_stopping:
                raise
            work.uncancel()
            await error_response(_stopped(), Request(scope, receive))(scope, receive, watched_send)
        except Exception as error:
            if not started:
                await error_response(error, Request(scope, receive))(scope, receive, watched_send)
            raise

    async def _call(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = route  # as the router would say it, for what counts requests by route
        if "fastapi.telemetry" in scope:
            name_span(scope, route.path)
        request = Request(scope, receive, send)
        try:
            response: Response = await route.endpoint(request)
        except Exception as error:
            response = error_response(error, request)
            if response.status_code == 500:
                raise
        await response(scope, receive, send)


def _stopped() -> ApiError:
    message = "the service is being stopped, and the request took longer than it waits"
    return ApiError(503, "stopping", message, headers={"Retry-After": "1", "Connection": "close"})
