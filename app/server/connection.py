"""Bounds on connections, which uvicorn does not set: how many, how slow, and how much that is no body."""

import asyncio
import logging
import socket
from contextvars import copy_context
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import ApiError
from app.http.error_handlers import render
from app.http.middleware.telemetry import REQUEST_ID_HEADER as REQUEST_ID
from app.observability.metrics import ServiceMetrics
from app.observability.request_context import request_id
from app.settings import Settings

MAX_HEAD_BYTES = 65_536
"""Of a request line and its headers: twice what nginx lets through."""

MAX_HEADERS = 100
"""As Apache and gunicorn have it."""

MAX_PIPELINED = 16
"""Requests on a connection that wait for the answer to an earlier one; hardly any client sends so."""

logger = logging.getLogger(__name__)


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol, but a connection that goes beyond a bound is closed, after an answer if one is due.

    The line and headers of a request must be there `header_seconds` after its first byte, those of the first
    one after the connection was made. The time also runs while the body of an answered request still comes
    in. A client that takes nothing of an answer for `keep_alive_seconds` is given up; an idle connection is
    uvicorn's to close. What is overridden and used here is uvicorn's own, and may change with it:
    tests/api/test_connection.py would tell.
    """

    header_seconds: ClassVar[float]
    keep_alive_seconds: ClassVar[int]
    max_connections: ClassVar[int]
    metrics: ClassVar[ServiceMetrics]

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = False
        self._refusal: ApiError | None = None
        self._without_body = 0
        """How many bytes came since the last of a body: of headers, a chunk's extension, or trailers."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        own: socket.socket = transport.get_extra_info("socket")
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * self.keep_alive_seconds)
        if len(self.connections) > self.max_connections:
            message = f"there are {self.max_connections} connections already; try again later"
            self._refuse(ApiError(503, "too_many_connections", message, headers={"Retry-After": "1"}))
        else:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._without_body += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._without_body > 2 * MAX_HEAD_BYTES:  # for here all that stands between headers counts too
            self._refuse(_too_large())
        elif self._timer is None and self._is_idle():
            self._start_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        self._stop_timer()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES:
            self._refusal = _too_large()
        elif len(self.headers) > MAX_HEADERS:
            message = f"the request has more than {MAX_HEADERS} headers"
            self._refusal = ApiError(431, "too_many_headers", message)
        elif len(self.pipeline) >= MAX_PIPELINED:
            # Each waits in memory, and uvicorn reads on after every answer, whatever waits already.
            message = f"more than {MAX_PIPELINED} requests wait on this connection; read their answers first"
            self._refusal = ApiError(429, "too_many_pipelined", message)
        if self._refusal is not None:
            raise self._refusal  # by which the parser ends, and uvicorn calls `send_400_response`
        self._in_head = False
        self._without_body = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._without_body = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
        """Called by uvicorn for what is no sound HTTP."""
        self._refuse(self._refusal or ApiError(400, "malformed_request", msg))

    def _is_idle(self) -> bool:
        """Whether no request is being worked on."""
        return self.cycle is None or self.cycle.response_complete

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.header_seconds, self._be_too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _be_too_slow(self) -> None:
        if self._in_head:
            message = f"the request's headers did not arrive within {self.header_seconds:g} s"
            self._refuse(ApiError(408, "headers_too_slow", message))
        else:
            self.transport.close()  # nobody has asked for anything

    def _refuse(self, error: ApiError) -> None:
        if self._is_due():
            known = uuid4().hex
            self.transport.write(self._answer(error, known))
            copy_context().run(_log, error, known)
        self.metrics.rejected(error.code)
        self.transport.close()

    def _is_due(self) -> bool:
        """Whether the next answer on this connection is the one to what is refused, and not yet begun."""
        if self._in_head:
            return self._is_idle()
        return self.cycle is None or not (self.cycle.response_started or self.pipeline)

    def _answer(self, error: ApiError, known: str) -> bytes:
        path = self.url.decode("latin-1").partition("?")[0] if self.scope is not None else ""
        response = render(error, path)
        response.headers["connection"] = "close"
        response.headers[REQUEST_ID] = known
        headers = (*self.server_state.default_headers, *response.raw_headers)
        lines = [name + b": " + value for name, value in headers]
        status_line = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}".encode()
        return b"\r\n".join([status_line, *lines, b"", bytes(response.body)])


def bounded_connections(settings: Settings, metrics: ServiceMetrics) -> type[BoundedConnection]:
    """The protocol for a server with these settings; `metrics` counts what is refused."""
    return type(
        "Connection",
        (BoundedConnection,),
        {
            "header_seconds": settings.header_seconds,
            "keep_alive_seconds": settings.keep_alive_seconds,
            "max_connections": settings.max_connections,
            "metrics": metrics,
        },
    )


def _too_large() -> ApiError:
    message = f"the request's line and headers are larger than {MAX_HEAD_BYTES} bytes"
    return ApiError(431, "headers_too_large", message)


def _log(error: ApiError, known: str) -> None:
    request_id.set(known)
    logger.info("%d %s before there was a request", error.status, error.code)
