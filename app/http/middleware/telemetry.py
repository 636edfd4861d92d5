"""What is done around every request: an id, headers that all responses have, metrics, and a log line."""

import logging
import re
from collections.abc import Sequence
from secrets import token_hex
from time import perf_counter
from urllib.parse import quote

from starlette.requests import ClientDisconnect
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.metrics import ServiceMetrics
from app.observability.request_context import request_id

REQUEST_ID_HEADER = "X-Request-ID"

SAFE_ID = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")
"""What is taken over from a client: nothing that could be mistaken for another line or field of a log."""

IN_PATHS = "/:@!$&'()*+,;=~"
"""What stands for itself in a path, beside letters, digits and `_.-`."""

MAX_PATH = 1000
"""Characters of a path in the log. One of 64 kB made a line of 400 kB."""

UNMATCHED = "unmatched"
"""The route of all requests that reach none. Paths are the client's, and there is no end of them."""

CLIENT_LEFT = 499
"""In place of a status, where the client left before it had one; the number is nginx's."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

logger = logging.getLogger(__name__)


class RequestTelemetry:
    """Pure ASGI middleware, outside of all others that may answer.

    Takes the request's id from X-Request-ID or makes one, and gives it back, with `headers`. Tells `metrics`
    the route template, method, status and duration, just before the end of the response is sent, so that
    whoever has a response is counted; an error that no route handles counts as the 500 that it is answered
    with further out. Logs a line at INFO with method, path, status and duration, and nothing of the query,
    the headers or the body.
    """

    def __init__(
        self, app: ASGIApp, metrics: ServiceMetrics, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        self.app = app
        self._metrics = metrics
        self._headers = list(headers)
        self._templates: dict[object, str] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        started = perf_counter()
        known = _given_id(scope) or token_hex(16)
        # Never taken back: the task is this request's own, and the server may log after the app has ended.
        request_id.set(known)
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
            if message["type"] == "http.response.start":
                if status is None:
                    status = message["status"]
                own = [*self._headers, (b"x-request-id", known.encode())]
                message = {**message, "headers": [*message.get("headers", []), *own]}
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
            if logger.isEnabledFor(logging.INFO):
                _log(scope, status, perf_counter() - started)

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


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SAFE_ID.fullmatch(value):
            return str(value, "ascii")
    return None


def _log(scope: Scope, status: int | None, seconds: float) -> None:
    # As it came: a line break in it begins no line.
    path = quote(scope["path"][:MAX_PATH], safe=IN_PATHS)
    if len(scope["path"]) > MAX_PATH:
        path += "..."
    milliseconds = round(seconds * 1000, 3)
    fields = {"method": scope["method"], "path": path, "status": status, "duration_ms": milliseconds}
    logger.info("%s %s %s in %s ms", scope["method"], path, status, milliseconds, extra=fields)
