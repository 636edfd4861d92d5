"""Requests in, batches out, every request its own answer: a queue that knows neither torch nor HTTP.

There is no timer. While `concurrency` batches run, items gather; a slot that becomes free takes what is
there, up to `max_batch`. A lone request never waits for company, and under load batches fill by themselves.

**Throughput.** One batch that has all threads is answered soonest; several batches side by side, each on a
thread of its own, come to more items a second. Where there are both ways, items are shared out among several
batches if there are `LEAST_TOGETHER` for each of two, and else are one. The ways never run at the same time.

**Order.** Waiting submissions take turns in the order of their arrival, one item per turn: whoever still has
items left goes back to the end. Between two items of one submission every other one has at most one turn, so
that 256 images cannot hold back a single image behind them. Items of one submission start in their order.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Generic, TypeAlias, TypeVar

from app.batching.batch_errors import ClosedError, DeadlineError, QueueFullError
from app.batching.side_by_side import LEAST_TOGETHER, sizes_side_by_side

Item = TypeVar("Item")
Result = TypeVar("Result")

MEMORY_SECONDS = 5.0
"""After so long, a finished item counts a third in the recent throughput."""


class Throughput:
    """How many items a second were finished recently; the past fades exponentially. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._updated = 0.0
        self._finished = 0.0
        self.items = 0
        self.batches = 0

    def add(self, count: int) -> None:
        """Count the items of a batch that was finished just now."""
        self.items += count
        self.batches += 1
        self._fade()
        self._finished += count

    def per_second(self) -> float:
        """The rate since the first item, or 0 before there is one."""
        self._fade()
        if self._began is None or self._updated == self._began:
            return 0.0
        # Without this, the rate would seem low until a memory's length has passed.
        seen = -math.expm1(-(self._updated - self._began) / MEMORY_SECONDS)
        return self._finished / (MEMORY_SECONDS * seen)

    def _fade(self) -> None:
        now = self._clock()
        if self._began is None:
            self._began = now
        else:
            self._finished *= math.exp(-(now - self._updated) / MEMORY_SECONDS)
        self._updated = now


@dataclass(eq=False, slots=True)
class _Submission(Generic[Item, Result]):
    items: Sequence[Item]
    answer: asyncio.Future[list[Result]]
    submitted: float
    deadline: float | None
    taken: int = 0
    results: dict[int, Result] = field(default_factory=dict)


_Batch: TypeAlias = list[tuple[_Submission[Item, Result], int]]
"""What a batch consists of: submissions, each with the index of one of its items."""


@dataclass(frozen=True)
class _Way(Generic[Item, Result]):
    """How batches are run: of at most `max_batch` items, at most `concurrency` at a time."""

    run: Callable[[list[Item]], Awaitable[Sequence[Result]]]
    max_batch: int
    concurrency: int


class Batcher(Generic[Item, Result]):
    """Runs the items of many submissions in common batches; to be used on one event loop only.

    `run` gets the items of one batch (1 to `max_batch`) and returns an awaitable of their results, one for
    each item, in the same order; it is never cancelled from here. At most `concurrency` batches run at a time
    and at most `max_queue` items wait. `on_batch(size)` is called for each batch once it has started.
    `throughput` counts what is finished, over the seconds that `clock` gives, by default those of the loop.
    Raises `ValueError` for a limit below 1.
    """

    def __init__(
        self,
        run: Callable[[list[Item]], Awaitable[Sequence[Result]]],
        *,
        max_batch: int,
        max_queue: int,
        concurrency: int = 1,
        on_batch: Callable[[int], None] | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        for name, limit in (("max_batch", max_batch), ("max_queue", max_queue), ("concurrency", concurrency)):
            if limit < 1:
                raise ValueError(f"{name} is {limit}; it must be at least 1")
        self._for_latency = self._way = _Way(run, max_batch, concurrency)
        self._for_throughput: _Way[Item, Result] | None = None
        self._max_queue = max_queue
        self._on_batch = on_batch
        self.throughput = Throughput(clock or (lambda: asyncio.get_running_loop().time()))
        # An ordered set: the front has the next turn, and a submission can leave from anywhere.
        self._waiting: OrderedDict[_Submission[Item, Result], None] = OrderedDict()
        self._depth = 0
        self._runs: set[asyncio.Future[Sequence[Result]]] = set()
        self._start_is_scheduled = False
        self._closed = False

    @property
    def depth(self) -> int:
        """How many items wait, 0 to `max_queue`."""
        return self._depth

    @property
    def running(self) -> int:
        """How many batches run, 0 to `concurrency`."""
        return len(self._runs)

    @property
    def concurrency(self) -> int:
        """How many batches run at a time at most, whichever way."""
        return (self._for_throughput or self._for_latency).concurrency

    def use_for_throughput(
        self, run: Callable[[list[Item]], Awaitable[Sequence[Result]]], *, max_batch: int, concurrency: int
    ) -> None:
        """From now on, run batches by `run` where enough items wait for several side by side."""
        self._for_throughput = _Way(run, max_batch, concurrency)

    async def submit(self, items: Sequence[Item], *, deadline: float | None = None) -> list[Result]:
        """The results of `items`, in their order, whichever batches they ran in.

        `deadline` is a time of the running loop's clock, in seconds. A submission that ends early, by its
        deadline, by cancellation or by an error, gives back its places in the queue; what of it is running
        runs on, and the results are discarded.

        Raises `QueueFullError` at once if not all items fit into the queue, `DeadlineError` as soon as the
        deadline has passed, `ClosedError` after `close`, and whatever `run` raised for a batch with one of
        these items (`RuntimeError` where it gave the wrong number of results or was cancelled).
        """
        if self._closed:
            raise ClosedError("the batcher is closed and takes no more work")
        if not items:
            return []
        loop = asyncio.get_running_loop()
        now = loop.time()
        if deadline is not None and deadline <= now:
            raise DeadlineError("waiting", 0.0)
        self._ensure_room_for(len(items))
        submission = _Submission[Item, Result](items, loop.create_future(), now, deadline)
        self._waiting[submission] = None
        self._depth += len(items)
        self._schedule_start(loop)
        timer = None if deadline is None else loop.call_at(deadline, self._expire, submission)
        try:
            return await submission.answer
        finally:
            if timer is not None:
                timer.cancel()
            self._drop(submission)

    async def close(self) -> None:
        """Refuse new work, finish what waits and what runs, and return when nothing is left."""
        self._closed = True
        self._start_batches()
        while self._runs:
            await asyncio.wait(self._runs)

    def _ensure_room_for(self, count: int) -> None:
        if self._depth + count > self._max_queue:
            self._start_batches()  # what a free slot can take right now shall not stand in the way
        if self._depth + count > self._max_queue:
            raise QueueFullError(count, self._depth, self._max_queue)

    def _schedule_start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have batches started in the next iteration of the loop, with all that is submitted in this one.

        Requests often arrive together, as when the answers of one batch let 32 clients ask again. Started by
        the first of them, batches of 1 and of 31 would take turns: measured with an engine that takes 0.5 ms
        and 1.05 ms per item, that gave 0 to 8 % fewer items a second, and a lone client was no faster.
        """
        if not self._start_is_scheduled and len(self._runs) < self._way.concurrency:
            self._start_is_scheduled = True
            loop.call_soon(self._start_batches)

    def _start_batches(self) -> None:
        """Fill the free slots with what waits."""
        self._start_is_scheduled = False
        loop = asyncio.get_running_loop()
        while sizes := self._next_sizes():
            for size in sizes:
                if not (batch := self._take(size, loop.time())):
                    return
                self._start(batch)

    def _start(self, batch: _Batch[Item, Result]) -> None:
        try:
            run = asyncio.ensure_future(self._way.run([submission.items[i] for submission, i in batch]))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for the submissions
            self._fail(batch, error)
            return
        self._runs.add(run)
        run.add_done_callback(partial(self._finish, batch))
        if self._on_batch is not None:
            self._on_batch(len(batch))

    def _next_sizes(self) -> list[int]:
        """The largest size of each batch that is to be started now; sets the way to run them."""
        if not self._runs:
            is_crowd = self._depth >= 2 * LEAST_TOGETHER
            self._way = (self._for_throughput if is_crowd else None) or self._for_latency
        if self._way is self._for_latency:
            return [self._way.max_batch] * (self._way.concurrency - len(self._runs))
        return sizes_side_by_side(self._depth, len(self._runs), self._way.max_batch, self._way.concurrency)

    def _take(self, size: int, now: float) -> _Batch[Item, Result]:
        """The items of the next batch, at most `size`; empty if nothing waits that is still wanted."""
        batch: _Batch[Item, Result] = []
        while self._waiting and len(batch) < size:
            submission = next(iter(self._waiting))
            # A busy loop has not come round yet to all timers that are due, nor to all tasks that have ended.
            if submission.deadline is not None and submission.deadline <= now:
                self._expire(submission)
            if submission.answer.done():
                self._drop(submission)
                continue
            batch.append((submission, submission.taken))
            submission.taken += 1
            self._depth -= 1
            if submission.taken == len(submission.items):
                del self._waiting[submission]
            else:
                self._waiting.move_to_end(submission)
        return batch

    def _finish(self, batch: _Batch[Item, Result], run: asyncio.Future[Sequence[Result]]) -> None:
        self._runs.discard(run)
        self.throughput.add(len(batch))
        try:
            self._deliver(batch, run.result())
        except asyncio.CancelledError:
            self._fail(batch, RuntimeError("the batch was cancelled while it ran"))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is for the submissions
            self._fail(batch, error)
        self._start_batches()  # at once, so that the engine works while the loop hands out the answers

    def _deliver(self, batch: _Batch[Item, Result], results: Sequence[Result]) -> None:
        if len(results) != len(batch):
            raise RuntimeError(f"a batch of {len(batch)} items gave {len(results)} results")
        for (submission, i), result in zip(batch, results, strict=True):
            submission.results[i] = result
            if len(submission.results) == len(submission.items) and not submission.answer.done():
                submission.answer.set_result([submission.results[k] for k in sorted(submission.results)])

    def _fail(self, batch: _Batch[Item, Result], error: BaseException) -> None:
        for submission, _ in batch:
            if not submission.answer.done():
                submission.answer.set_exception(error)

    def _expire(self, submission: _Submission[Item, Result]) -> None:
        if not submission.answer.done():
            is_running = submission.taken > len(submission.results)
            seconds = asyncio.get_running_loop().time() - submission.submitted
            submission.answer.set_exception(DeadlineError("running" if is_running else "waiting", seconds))

    def _drop(self, submission: _Submission[Item, Result]) -> None:
        """Take the items of `submission` that still wait out of the queue."""
        if submission in self._waiting:
            del self._waiting[submission]
            self._depth -= len(submission.items) - submission.taken
