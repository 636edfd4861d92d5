"""What uvicorn lacks in a connection: bounds, strictness, and an end that waits for the answers."""

import asyncio
import logging
import socket
from contextvars import copy_context
from http import HTTPStatus
from typing import Any, ClassVar
from uuid import uuid4

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.errors import ApiError
from app.http.error_handlers import render
from app.http.middleware.telemetry import REQUEST_ID_HEADER as REQUEST_ID
from app.observability.metrics import ServiceMetrics
from app.observability.request_context import request_id
from app.server.request_head import MAX_BYTES, refusal, too_large, without_upgrade
from app.server.spare_connections import MOMENT_SECONDS, SPARE_CONNECTIONS, SPARE_SECONDS, Watching
from app.settings import Settings

MAX_PIPELINED = 16
"""Requests on a connection that wait for the answer to an earlier one; hardly any client sends so."""

ASK_SECONDS = 1.0
"""How long after the end of what a client sends it is asked whether it is still there, and how often then."""

TCP_CLOSE = 7
"""The state of a connection that the other side has reset, in the first byte of Linux's TCP_INFO."""

logger = logging.getLogger(__name__)


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's protocol, but a connection that goes beyond a bound is closed, after an answer if one is due.

    The line and headers of a request must be there `header_seconds` after its first byte, those of the first
    one after the connection was made. The time also runs while the body of an answered request still comes
    in. A client that takes nothing of an answer for `keep_alive_seconds` is given up; an idle connection is
    uvicorn's to close. A client that has ended its sending is still answered, as long as it is there.

    Of the connections beyond `max_connections`, `SPARE_CONNECTIONS` may send one request of `Watching` each.
    Its headers have `SPARE_SECONDS` and its answer as many. Whatever else they send is refused, and further
    ones are refused at once. Where there is room by then, such a connection is one like any other.

    What is overridden and used here is uvicorn's own, and may change with it:
    tests/api/test_connection.py and test_spare_connections.py would tell.
    """

    header_seconds: ClassVar[float]
    keep_alive_seconds: ClassVar[int]
    max_connections: ClassVar[int]
    metrics: ClassVar[ServiceMetrics]
    watching: ClassVar[Watching]

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        super().__init__(*args, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.TimerHandle | None = None
        self._in_head = False
        self._refusal: ApiError | None = None
        self._offers_upgrade = False
        """Whether the parser takes what follows the headers that it has just read for another protocol."""
        self._without_body = 0
        """How many bytes came since the last of a body: of headers, a chunk's extension, or trailers."""
        self._served: RequestResponseCycle | None = None
        """The request that is being answered; `cycle` is the newest, which may still wait for its turn."""
        self._has_ended = False
        """Whether the client has said that it sends no more."""
        self._is_spare = False
        """Whether this is one of the connections beyond the bound, kept for those who watch."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        own: socket.socket = transport.get_extra_info("socket")
        own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * self.keep_alive_seconds)
        surplus = self._surplus()
        if surplus > SPARE_CONNECTIONS:
            self._refuse(self._too_many_connections())
        elif surplus > 0:
            self._is_spare = True
            self._start_spare_timer()
        else:
            self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._asking is not None:
            self._asking.cancel()
        if self._served is not None and not self._served.response_complete:
            # uvicorn tells the newest request only, and this one would go on to answer nobody.
            self._served.disconnected = True
            self._served.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]
        """Returns whether the connection stays open for what is still to be answered.

        A request that is cut off is not, but those before it are.
        """
        served = self._served
        if served is None or served.response_complete or served.more_body:
            return False
        self._has_ended = True
        self._asking = self.loop.call_later(ASK_SECONDS, self._ask_whether_it_is_there)
        return True

    def _ask_whether_it_is_there(self) -> None:
        """Send what is ignored by a client that only has ended its sending, and answered by a reset by none.

        Both look alike until something is sent. An interim answer may come at any time (RFC 9110, 15.2).
        """
        own: socket.socket = self.transport.get_extra_info("socket")
        if own.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == TCP_CLOSE:
            self.transport.abort()
            return
        served = self._served
        if served is not None and not served.response_started and served.scope["http_version"] == "1.1":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._asking = self.loop.call_later(ASK_SECONDS, self._ask_whether_it_is_there)

    def on_response_complete(self) -> None:
        if self._has_ended and (not self.pipeline or self.pipeline[-1][0].more_body):
            self.transport.close()
        super().on_response_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        self._without_body += len(data)
        self._parse(data)
        if self.transport.is_closing():
            return
        if self._without_body > 2 * MAX_BYTES:  # for here all that stands between headers counts too
            self._refuse(too_large())
        elif self._timer is None and self._is_idle():
            self._start_timer()

    def _parse(self, data: bytes) -> None:
        """Feed the parser; where it ends at an offer of another protocol, have the offer ignored.

        The parser has no way to be told that before: it would drop the body and read its bytes as the next
        request. So a new one reads the same request again, without the offer, and all that follows.
        """
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
            except HttpParserUpgrade as offer:
                self._offers_upgrade = False
                head = without_upgrade(
                    self.parser.get_method(), self.url, self.parser.get_http_version(), self.headers
                )
                self.parser = HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
                data = head + data[offer.args[0] :]
            except HttpParserError:
                self.send_400_response("this is no sound HTTP")
                return
            else:
                return

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        if self.cycle is None and self._surplus() <= 0:
            self._is_spare = False
        if not self._is_spare:  # of which only an answer is waited for any longer
            self._stop_timer()
        method, version = self.parser.get_method(), self.parser.get_http_version()
        self._refusal = refusal(method, self.url, version, self.headers)
        if self._refusal is None and len(self.pipeline) >= MAX_PIPELINED:
            # Each waits in memory, and uvicorn reads on after every answer, whatever waits already.
            message = f"more than {MAX_PIPELINED} requests wait on this connection; read their answers first"
            self._refusal = ApiError(429, "too_many_pipelined", message)
        is_first_of_spare = self._is_spare and self.cycle is None
        if self._refusal is None and is_first_of_spare and not self.watching.sends(method, self.url):
            self._refusal = self._too_many_connections()
        if self._refusal is not None:
            raise self._refusal  # by which the parser ends, and `send_400_response` is called
        self._offers_upgrade = self.parser.should_upgrade()
        if self._offers_upgrade:
            return  # for now
        self._in_head = False
        self._without_body = 0
        super().on_headers_complete()
        if self._is_spare:
            self.cycle.keep_alive = False  # by which what follows on the connection is never begun
        if is_first_of_spare:
            self._start_spare_timer()

    def on_message_complete(self) -> None:
        if not self._offers_upgrade:  # and this is the end of the headers only
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        self._without_body = 0
        super().on_body(body)

    def send_400_response(self, msg: str) -> None:
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

    def _start_spare_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(SPARE_SECONDS, self._wait_a_moment)

    def _wait_a_moment(self) -> None:
        self._timer = self.loop.call_later(MOMENT_SECONDS, self._end_spare)

    def _end_spare(self) -> None:
        if self.transport.is_closing():
            self.transport.abort()  # whoever does not take its answer holds no place for it
        elif self._surplus() <= 0:
            self._is_spare = False
            self._timer = None
            if self._is_idle():
                self._start_timer()
        else:
            self._refuse(self._too_many_connections())

    def _surplus(self) -> int:
        """How many connections there are beyond the bound; 0 or less where this one may be."""
        return len(self.connections) - self.max_connections

    def _too_many_connections(self) -> ApiError:
        message = f"there are {self.max_connections} connections already; try again later"
        return ApiError(503, "too_many_connections", message, headers={"Retry-After": "1"})

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
            "watching": Watching(settings.root_path),
        },
    )


def _log(error: ApiError, known: str) -> None:
    request_id.set(known)
    logger.info("%d %s before there was a request", error.status, error.code)
