"""Counts and times every request."""

from time import perf_counter

from starlette.requests import ClientDisconnect
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.metrics import Metrics

UNMATCHED = "unmatched"
"""The route of all requests that reach none. Paths are the client's, and there is no end of them."""

CLIENT_LEFT = 499
"""In place of a status, where the client left before it had one; the number is nginx's."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class RequestMetrics:
    """Pure ASGI middleware: tells `metrics` each request's route template, method, status and duration.

    A request is counted just before the end of its answer is sent, so that whoever has an answer is counted.
    An error that no route handles counts as the 500 that it is answered with further out.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics
        self._templates: dict[object, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        started = perf_counter()
        status: int | None = None
        counted = False

        def count(status: int) -> None:
            nonlocal counted
            counted = True
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.request(self._template(scope), method, status, perf_counter() - started)

        async def watched_receive() -> Message:
            nonlocal status
            message = await receive()
            if message["type"] == "http.disconnect" and status is None:
                status = CLIENT_LEFT
            return message

        async def watched_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start" and status is None:
                status = message["status"]
            elif message["type"] == "http.response.body" and not message.get("more_body") and not counted:
                count(status or 500)
            await send(message)

        try:
            await self.app(scope, watched_receive, watched_send)
        except ClientDisconnect:
            status = CLIENT_LEFT
            raise
        except BaseException:
            if status != CLIENT_LEFT:
                status = 500
            raise
        finally:
            if not counted:
                count(status or 500)

    def _template(self, scope: Scope) -> str:
        """The path of the route that took the request, its parameters by name: `/models/{name}`."""
        route = scope.get("route")
        if route is not None:
            path: str = route.path
            return path
        # Starlette's own routes leave nothing but the endpoint behind.
        if not self._templates:
            for entry in scope["app"].routes:
                if isinstance(entry, Mount):
                    self._templates[entry.app] = entry.path
                elif isinstance(entry, Route):
                    self._templates[entry.endpoint] = entry.path
        return self._templates.get(scope.get("endpoint"), UNMATCHED)
