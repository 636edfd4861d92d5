"""Every request has an id, which its answer and all log lines about it carry, and a line of its own."""

import logging
import re
from time import perf_counter
from urllib.parse import quote
from uuid import uuid4

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.observability.request_context import request_id

HEADER = "X-Request-ID"

SOUND_ID = re.compile(rb"[A-Za-z0-9._~:/+=@-]{1,128}")
"""What is taken over from a client: nothing that could be mistaken for another line or field of a log."""

IN_PATHS = "/:@!$&'()*+,;=~"
"""What stands for itself in a path, beside letters, digits and `_.-`."""

logger = logging.getLogger(__name__)


class RequestLog:
    """Pure ASGI middleware: takes the id from X-Request-ID or makes one, gives it back, and logs at INFO.

    The line holds method, path, status and duration; nothing of the query, the headers or the body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        known = _given(scope) or uuid4().hex
        # Never taken back: the task is this request's own, and the server may log after the app has ended.
        request_id.set(known)
        status: int | None = None

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = known
            await send(message)

        try:
            await self.app(scope, receive, marked)
        finally:
            if logger.isEnabledFor(logging.INFO):
                path = quote(scope["path"], safe=IN_PATHS)  # as it came: a line break in it begins no line
                milliseconds = round((perf_counter() - started) * 1000, 3)
                logger.info(
                    "%s %s %s in %s ms",
                    *(scope["method"], path, status, milliseconds),
                    extra={
                        "method": scope["method"],
                        "path": path,
                        "status": status,
                        "duration_ms": milliseconds,
                    },
                )


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and SOUND_ID.fullmatch(value):
            return str(value, "ascii")
    return None
