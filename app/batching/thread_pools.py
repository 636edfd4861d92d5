"""Where work off the event loop runs, how much of it may wait, and whether a batch does not come back."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import TypeVar

from app.batching.decoding_memory import MOST_BYTES, DecodingMemory
from models.preprocessing.stopping import Stop

T = TypeVar("T")
Batch = TypeVar("Batch")

STUCK_SECONDS = 7.0
"""No call counts as stuck before."""

TIMES_LONGEST = 10
"""How many times the longest that a batch has taken one may take, as where others use the cores."""


class OverloadedError(Exception):
    """As much work as may wait is waiting already."""


class WorkingTime:
    """A clock that stands still while there is nothing to do: calling it gives the seconds with work so far.

    How many images a second are computed is measured by it: otherwise a pause would look like a service that
    has become slow, and those who are rejected in the first rush after it would be sent away for minutes.
    `clock` gives seconds. Every method may be called from any thread.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._pieces = 0
        self._worked = 0.0
        self._since = 0.0

    def __call__(self) -> float:
        with self._lock:
            return self._worked + (self._clock() - self._since if self._pieces else 0.0)

    def begin(self) -> None:
        """Count a piece of work that is there from now on; several may be at the same time."""
        with self._lock:
            if not self._pieces:
                self._since = self._clock()
            self._pieces += 1

    def end(self) -> None:
        """Say that a piece of work is done."""
        with self._lock:
            self._pieces -= 1
            if not self._pieces:
                self._worked += self._clock() - self._since


class _Admission:
    """The place of a request; given back by `release` when the request and all its work have ended."""

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._users = 1
        self._lock = threading.Lock()

    def enter(self) -> None:
        with self._lock:
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users:
                return
        self._release()


_ADMISSION: ContextVar[_Admission | None] = ContextVar("admission", default=None)
"""That of the request which is being worked on."""


class ThreadPools:
    """Threads for decoding, for inference and for loading, behind a bound on the requests that use them.

    There are `decode_threads` for large pictures, and as many for small ones and for drawing, which so never
    wait behind them; `memory` bounds what the large ones take together. `worked` goes on while any request is
    worked on.

    Threads start when they are first needed, and work goes to an idle one before another is started: an
    engine that computes one batch at a time always runs on the same thread.
    """

    def __init__(
        self,
        decode_threads: int,
        inference_threads: int,
        max_concurrent_requests: int,
        memory: DecodingMemory | None = None,
    ) -> None:
        self._decoders = ThreadPoolExecutor(decode_threads, thread_name_prefix="decode")
        self._large_decoders = ThreadPoolExecutor(decode_threads, thread_name_prefix="decode-large")
        self._inference = ThreadPoolExecutor(inference_threads, thread_name_prefix="inference")
        self._loading = ThreadPoolExecutor(1, thread_name_prefix="loading")
        self._max_concurrent_requests = max_concurrent_requests
        self._lock = threading.Lock()
        self._stops: set[Stop] = set()
        self.memory = memory or DecodingMemory(MOST_BYTES)
        self.admitted = 0
        self.worked = WorkingTime()

    @property
    def is_full(self) -> bool:
        return self.admitted >= self._max_concurrent_requests

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Count a request as being worked on. Raises `OverloadedError` at once if there are too many.

        It counts until what it had decoded has ended as well, even if nobody waits for that any more.
        """
        if self.is_full:
            raise OverloadedError(f"{self.admitted} requests are already being worked on; try again later")
        with self._lock:
            self.admitted += 1
        self.worked.begin()
        admission = _Admission(self._give_back)
        token = _ADMISSION.set(admission)
        try:
            yield
        finally:
            _ADMISSION.reset(token)
            admission.leave()

    def _give_back(self) -> None:
        self.worked.end()
        with self._lock:
            self.admitted -= 1

    def decode(
        self, work: Callable[[], T], *, is_large: bool = False, stop: Stop | None = None
    ) -> asyncio.Future[T]:
        """Run `work`, which decodes or draws images, on one of the decoding threads.

        `stop` tells the work to stop once nobody waits for it: when the future is cancelled, or the threads
        are closed.
        """
        running = (self._large_decoders if is_large else self._decoders).submit(work)
        admission = _ADMISSION.get()
        if admission is not None:
            admission.enter()
            running.add_done_callback(lambda _: admission.leave())
        future = asyncio.wrap_future(running)
        if stop is not None:
            self._stops.add(stop)
            future.add_done_callback(lambda _: self._end(stop))
        return future

    def _end(self, stop: Stop) -> None:
        # Of work that is done it means nothing.
        stop.ask()
        self._stops.discard(stop)

    def infer(self, work: Callable[..., T], *given: object) -> asyncio.Future[T]:
        """Run `work`, which computes a batch, with what is `given` to it, on one of the inference threads."""
        return asyncio.get_running_loop().run_in_executor(self._inference, work, *given)

    def load(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run `work`, which loads a model, on a thread of its own, while others serve."""
        return asyncio.get_running_loop().run_in_executor(self._loading, work)

    def close(self) -> None:
        """Stop what can be, finish what else runs, drop what waits, and end the threads."""
        for stop in list(self._stops):
            stop.ask()
        for pool in (self._decoders, self._large_decoders, self._inference, self._loading):
            pool.shutdown(cancel_futures=True)


class EngineWatch:
    """Knows since when each batch is being computed. Every method may be called from any thread.

    `clock` gives seconds. A batch that takes long is told from one that hangs by what batches took before.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._held_up = 0.0
        self._started: dict[object, float] = {}
        self._longest = 0.0

    def has_taken(self, seconds: float) -> None:
        """Say what a batch of the largest size takes, from having tried it."""
        self._longest = max(self._longest, seconds)

    def was_held_up(self, seconds: float) -> None:
        """Say that nothing of this process has run for so long, as in a container that was paused.

        No batch is taken to have needed that time.
        """
        self._held_up += seconds

    def run(self, compute: Callable[[Batch], T], batch: Batch) -> T:
        """Compute a batch, on the thread that calls this."""
        with self.computing():
            return compute(batch)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """To be entered for each batch, by the thread that computes it."""
        call = object()
        started = self._started[call] = self._now()
        try:
            yield
        finally:
            del self._started[call]
            self.has_taken(self._now() - started)

    def stuck_seconds(self) -> float | None:
        """For how long a batch has been computed that hangs; None where none does."""
        oldest = min(list(self._started.values()), default=None)
        if oldest is None:
            return None
        seconds = self._now() - oldest
        return seconds if seconds > max(STUCK_SECONDS, TIMES_LONGEST * self._longest) else None

    def _now(self) -> float:
        return self._clock() - self._held_up
