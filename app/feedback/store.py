"""The feedback database as the service uses it: on a thread of its own, bounded, in nobody's way."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from app.errors import ApiError, StartError, image_with, installation
from app.feedback.latest import LatestPredictions
from app.settings import Settings
from models.feedback.records import Bounds, Correction, FeedbackError, FeedbackFullError, Prediction

if TYPE_CHECKING:
    from models.feedback.database import FeedbackDatabase

T = TypeVar("T")

SHARE_SECONDS = 1.0
"""How often the latest predictions go into the database, for other processes to find."""

SHARED_AT_ONCE = 500
"""So many predictions then go there, the latest ones: a hundredth of a core at most."""

REMEMBERED = 10_000
"""So many this process itself remembers, in some 5 MB."""

PRUNE_SECONDS = 60.0
MAX_WAITING = 32
"""Calls of the database that may wait for each other, those among them that nobody waits for any more."""

DAY_SECONDS = 86_400

logger = logging.getLogger(__name__)


class FeedbackStore:
    """What routes know of feedback. To be used on one event loop, which it never blocks.

    What was answered is remembered here at once, and shared over the database within `SHARE_SECONDS`: the
    correction may reach another process than the image did. `clock` gives Unix times in seconds.
    """

    def __init__(
        self, database: "FeedbackDatabase", settings: Settings, clock: Callable[[], float] = time.time
    ) -> None:
        self._database = database
        self._bounds = Bounds(settings.max_feedback, settings.max_feedback_bytes)
        self._keep_seconds = settings.feedback_days * DAY_SECONDS
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feedback")
        self._places = threading.BoundedSemaphore(MAX_WAITING)
        self._is_prepared = False
        self._is_well = True
        self._own = LatestPredictions(REMEMBERED)
        self._unshared = LatestPredictions(SHARED_AT_ONCE)
        self._working: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to share and to prune. A database that does not answer holds up nothing."""
        self._working = asyncio.create_task(self._work())

    def remember(self, request_id: str, predictions: Sequence[Prediction]) -> None:
        """Note what is being answered to a request, for each of its images; takes a few microseconds."""
        # A network whose numbers have overflowed answered nothing that could be kept.
        if not all(math.isfinite(each.probability) for each in predictions):
            return
        self._own.add(request_id, predictions)
        self._unshared.add(request_id, predictions)

    async def recall(self, request_id: str, item: int) -> Prediction | None:
        """What was answered for an image of a request, None where nobody knows. Raises `ApiError` 503."""
        own = self._own.get(request_id)
        if own is not None:
            return own[item] if item < len(own) else None
        return await self._run(lambda: self._database.recall(self._clock(), request_id, item))

    async def add(self, correction: Correction, prediction: Prediction | None) -> str:
        """Keep a correction; returns its id. Raises `ApiError`: 507 where there is no room, 503, and 429."""
        return await self._run(
            lambda: self._database.add(self._clock(), correction, prediction, self._bounds)
        )

    async def delete(self, known: str) -> bool:
        """Delete a correction by its id; whether there was one. Raises `ApiError` 503 and 429."""
        return await self._run(lambda: self._database.delete(known))

    async def close(self) -> None:
        """Share what is left, and end the thread once it has finished what it does."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        await self._share()
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._database.close)

    async def _work(self) -> None:
        pruned = -PRUNE_SECONDS
        while True:
            if time.monotonic() - pruned >= PRUNE_SECONDS:
                pruned = time.monotonic()
                await self._try(self._prune)
            await self._share()
            await asyncio.sleep(SHARE_SECONDS)

    async def _try(self, work: Callable[[], object]) -> None:
        """What goes wrong here is nobody's request; the log says it once, until all is well again.

        Whatever it is, it does not end this work, without which nothing would be deleted any more.
        """
        try:
            await self._on_thread(work)
        except Exception as error:
            if self._is_well:
                unexpected = None if isinstance(error, FeedbackError) else error
                logger.error("the feedback database cannot be used: %s", error, exc_info=unexpected)
            self._is_well = False
        else:
            if not self._is_well:
                logger.warning("the feedback database can be used again")
            self._is_well = True

    def _prune(self) -> None:
        now = self._clock()
        self._database.forget(now)
        self._database.prune(now - self._keep_seconds)

    async def _share(self) -> None:
        if latest := self._unshared.take():
            await self._try(lambda: self._database.remember(self._clock(), latest))

    async def _run(self, work: Callable[[], T]) -> T:
        """The result of `work` for a request. Where nobody waits any more before its turn, it is not done."""
        if not self._places.acquire(blocking=False):
            raise ApiError(429, "overloaded", "too many corrections at once; try again later")
        wanted = [work]

        def turn() -> T:
            try:
                still_wanted = wanted.pop()
            except IndexError:
                raise TimeoutError("nobody waits for it any more") from None
            return self._prepared(still_wanted)

        # The place is free once the thread is through with this turn, not when its request has gone: else any
        # number of turns would stand in the thread's queue while the database hangs.
        future = self._thread.submit(turn)
        future.add_done_callback(lambda _: self._places.release())
        try:
            return await _result_of(future)
        except FeedbackFullError as error:
            raise ApiError(507, "feedback_full", str(error)) from error
        except FeedbackError as error:
            logger.error("feedback was not kept: %s", error)
            message = "the feedback database cannot be used at the moment; nothing was changed"
            raise ApiError(503, "feedback_unavailable", message, headers={"Retry-After": "5"}) from error
        finally:
            wanted.clear()  # and with it what the work holds, such as an image

    def _on_thread(self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, self._prepared, work)

    def _prepared(self, work: Callable[[], T]) -> T:
        # Not at the start alone: the database may come later than the service.
        if not self._is_prepared:
            self._database.prepare()
            self._is_prepared = True
        return work()


async def _result_of(work: Future[T]) -> T:
    """What `work` returns or raises. It is not cancelled with the wait, as what is waited for otherwise is.

    A future that is cancelled is done at once, though its work still stands in the thread's queue.
    """
    result = asyncio.wrap_future(work)
    result.add_done_callback(lambda done: done.cancelled() or done.exception())  # seen, if by nobody else
    await asyncio.wait([result])
    return result.result()


def create_feedback(settings: Settings) -> FeedbackStore | None:
    """The store that the settings ask for, None where they ask for none.

    Raises `StartError` if the packages that it needs are not installed, or the database's address is none.
    """
    if not settings.feedback:
        return None
    try:
        from models.feedback.database import FeedbackDatabase
    except ImportError as error:
        message = (
            f"RESNET_SERVE_FEEDBACK=true needs the extra `feedback`: {installation('feedback')}, or"
            f" {image_with('feedback')} ({error})"
        )
        raise StartError(message) from error
    try:
        return FeedbackStore(FeedbackDatabase(settings.feedback_database.get_secret_value()), settings)
    except ValueError as error:
        raise StartError(f"RESNET_SERVE_FEEDBACK_DATABASE: {error}") from error
