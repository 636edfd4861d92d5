"""What every request that computes goes through before it does, in one place.

In this order: the query names each parameter once, the deadline, a lease of the model, the body within its
bounds, admission, and the watch for a client that leaves. A body is received before admission, so that
clients that send slowly take no places; it is decompressed and parsed after it.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import Annotated, Self

from fastapi import Depends, Request

from app.batching.batch_errors import QueueFullError
from app.batching.retry_after import PlacesKeptError
from app.batching.thread_pools import OverloadedError
from app.errors import ApiError, client_left, invalid_parameter
from app.http.content_encoding import decompress, is_compressed
from app.http.returning import estimated_images, request_key
from app.inference.context import InferenceContext
from app.inference.request_scope import Deadline, RequestScope

TIMEOUT_HEADER = "X-Request-Timeout"

WATCH_AFTER_SECONDS = 0.1
"""Most answers are ready before this; watching each of those would cost a task per request."""


# Asynchronous though it waits for nothing: FastAPI would run any other function on a thread.
async def get_context(request: Request) -> InferenceContext:
    """What the app serves with; raises `ApiError` 503 before it is warm and once it is being stopped."""
    context: InferenceContext | None = request.app.state.context
    if context is None:
        raise ApiError(503, "not_ready", "the model is not loaded", headers={"Retry-After": "1"})
    return context


ReadyContext = Annotated[InferenceContext, Depends(get_context)]
"""The type of a route's parameter that receives the running app's context."""


@asynccontextmanager
async def request_scope(
    request: Request, context: InferenceContext, model: str | None = None, version: str | None = None
) -> AsyncIterator[RequestScope]:
    """Everything a route that computes enters; by default for the model that answers requests that name none.

    Raises `ApiError` 422 for a repeated query parameter or an illegal X-Request-Timeout, 413, 408 and 429 for
    a body beyond its bounds, 504 where the body took all the time, and 499 once the client has left;
    `UnknownModelError`, and `OverloadedError` if too many requests are being worked on.
    """
    reject_repeated(request)
    started = perf_counter()
    deadline = request_deadline(request, context.settings.request_seconds)
    with (
        context.control.find(model, version) as loaded,
        RequestBody(request) as body,
    ):
        if context.tracing is not None:
            about = loaded.model.metadata
            context.tracing.describe({"model.name": about.name, "model.version": about.version})
        scope = RequestScope(context, loaded, deadline, started)
        scope.body = sent = await body.receive(deadline)
        deadline.check("the request's body")
        encoding = request.headers.get("content-encoding")
        try:
            # Nobody has been told to come back: the usual case, which costs nothing.
            if context.schedule.tickets:
                await _require_place(request, scope)
            with context.threads.admit(), cancelled_on_disconnect(request):
                if encoding is not None and is_compressed(encoding):
                    work = partial(decompress, sent, encoding, body.hold_decompressed)
                    scope.body = await scope.run(work, "the request's body to be decompressed")
                yield scope
        except (OverloadedError, QueueFullError) as error:
            if isinstance(error, QueueFullError) and error.count > error.limit:
                raise  # for which there is never a place
            raise await _rejected(request, scope, sent, error) from error


async def _require_place(request: Request, scope: RequestScope) -> None:
    context = scope.context
    images = await estimated_images(request, scope.body, context.settings.max_files)
    if not context.has_place(request_key(request, scope.body), images):
        raise PlacesKeptError


async def _rejected(request: Request, scope: RequestScope, sent: bytes, error: Exception) -> ApiError:
    """429 with the time to come back, when there is a place for this very request."""
    context = scope.context
    images = await estimated_images(request, sent, context.settings.max_files)
    keeps_place = not isinstance(error, PlacesKeptError)
    seconds = context.retry_after(request_key(request, sent), images, keeps_place=keeps_place)
    return ApiError(429, "overloaded", str(error), headers={"Retry-After": str(seconds)})


def reject_repeated(request: Request) -> None:
    """Raise `ApiError` 422 for the first parameter of the query that has several values: which is meant?"""
    if not request.scope["query_string"]:
        return
    seen = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            raise invalid_parameter(name, "is given more than once")
        seen.add(name)


class BodyLimits:
    """Bounds on all bodies of an app: bytes of one, seconds until it is there, and bytes of all together."""

    def __init__(self, max_bytes: int, seconds: float, max_total_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.seconds = seconds
        self.max_total_bytes = max_total_bytes
        self.held = 0
        self.lock = Lock()


class RequestBody:
    """The body of one request, of at most `max_bytes`; what it holds is counted until it is left."""

    def __init__(self, request: Request, max_bytes: int | None = None) -> None:
        self._request = request
        self._limits: BodyLimits = request.app.state.body_limits
        self._max_bytes = min(max_bytes or self._limits.max_bytes, self._limits.max_bytes)
        self._held = 0
        self._decompressed = 0
        self._is_left = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._limits.lock:
            self._is_left = True
            self._limits.held -= self._held

    def hold_decompressed(self, size: int) -> None:
        """Count so many more bytes that came out of the body when it was decompressed, from any thread.

        Raises `ApiError` 413 if there are more than a body may have, 429 if all requests hold too much, and
        499 once the body is left.
        """
        self._decompressed += size
        if self._decompressed > self._max_bytes:
            message = f"the request body is larger than {self._max_bytes} bytes once it is decompressed"
            raise ApiError(413, "body_too_large", message)
        self._hold(size)

    def _hold(self, size: int) -> None:
        limits = self._limits
        with limits.lock:
            if self._is_left:
                raise client_left()  # or its deadline has passed; nobody waits for what a thread still does
            if limits.held + size <= limits.max_total_bytes:
                limits.held += size
                self._held += size
                return
        message = f"the bodies of all requests hold more than {limits.max_total_bytes} bytes; try again later"
        raise ApiError(429, "overloaded", message, headers={"Connection": "close"})

    async def receive(self, deadline: Deadline | None = None) -> bytes:
        """The whole body, as it was sent, counted while it arrives.

        One that says it is too large is rejected before any of it is read; a wrong or missing Content-Length
        helps nobody. The connection is closed then, because the rest may still be on its way. Raises
        `ApiError`: 413 for a body that is too large, 408 for one that is too slow, however soon each of its
        parts follows the one before, 504 where it is not there at the `deadline`, 429 for more than all
        requests may hold, and 499.
        """
        if self._stated_length() > self._max_bytes:
            raise self._too_large()
        parts = []
        if deadline is not None and deadline.seconds >= self._limits.seconds:
            deadline = None  # where both are equal, too: it is the body that is slow
        latest = asyncio.get_running_loop().time() + self._limits.seconds if deadline is None else deadline.at
        try:
            async with asyncio.timeout_at(latest):
                while True:
                    message = await self._request.receive()
                    if message["type"] == "http.disconnect":
                        raise client_left()
                    parts.append(message.get("body", b""))
                    if self._held + len(parts[-1]) > self._max_bytes:
                        raise self._too_large()
                    self._hold(len(parts[-1]))
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            close = {"Connection": "close"}
            if deadline is not None:
                late = deadline.passed("the request's body")
                raise ApiError(late.status, late.code, late.message, headers=close) from None
            slow = f"the request body did not arrive within {self._limits.seconds:g} s"
            raise ApiError(408, "body_too_slow", slow, headers=close) from None

    def _stated_length(self) -> int:
        text = self._request.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0

    def _too_large(self) -> ApiError:
        message = f"the request body is larger than {self._max_bytes} bytes"
        return ApiError(413, "body_too_large", message, headers={"Connection": "close"})


def request_deadline(request: Request, limit_seconds: float) -> Deadline:
    """The seconds that the header X-Request-Timeout asks for, at most and by default `limit_seconds`.

    Raises `ApiError` 422 for a header that is not a number above 0.
    """
    text = request.headers.get(TIMEOUT_HEADER)
    seconds = limit_seconds
    if text is not None:
        try:
            asked = float(text)
        except ValueError:
            asked = math.nan
        if not (math.isfinite(asked) and asked > 0):
            raise invalid_parameter(TIMEOUT_HEADER, f"must be a number of seconds above 0, got {text!r}")
        seconds = min(asked, limit_seconds)
    return Deadline(asyncio.get_running_loop().time() + seconds, seconds)


@contextmanager
def cancelled_on_disconnect(request: Request) -> Iterator[None]:
    """Cancel what runs inside once the client has left. Its body must have been read before.

    Raises `ApiError` 499 then, which no one receives, but which is counted.
    """
    work = asyncio.current_task()
    assert work is not None, "a request is handled by a task"
    watch: asyncio.Task[None] | None = None

    async def wait_for_disconnect() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        work.cancel()

    def start_watching() -> None:
        nonlocal watch
        watch = asyncio.create_task(wait_for_disconnect())

    timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, start_watching)
    try:
        yield
    except asyncio.CancelledError:
        left = watch is not None and watch.done() and not watch.cancelled() and watch.exception() is None
        # Cancelled by someone else as well, the server for one: then it is not ours to stop.
        if left and work.uncancel() == 0:
            raise client_left() from None
        raise
    finally:
        timer.cancel()
        if watch is not None:
            watch.cancel()
