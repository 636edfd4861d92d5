"""One request while it is computed: its deadline, its model, and what it has spent its time on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import TypeVar

from app.batching.scores import Scores
from app.errors import ApiError
from app.inference.context import InferenceContext
from app.observability.metrics import STAGES
from app.registry.loaded_model import LoadedModel
from app.registry.served_model import Pixels, ServedModel
from models.preprocessing.stopping import Stop

T = TypeVar("T")


@dataclass(frozen=True)
class Deadline:
    """`at` is a time of the event loop's clock, `seconds` after the request came in."""

    at: float
    seconds: float

    def check(self, waited_for: str) -> None:
        """Raise `ApiError` 504, which says what was `waited_for`, if it has passed."""
        if asyncio.get_running_loop().time() >= self.at:
            raise self.passed(waited_for)

    async def wait(self, work: Awaitable[T], waiting_for: str) -> T:
        """The result of `work`. At the deadline it is cancelled; on a thread it may run on, for nobody.

        Raises `ApiError` 504 then, which says `waiting_for` what.
        """
        try:
            async with asyncio.timeout_at(self.at):
                return await work
        except TimeoutError as error:
            raise self.passed(waiting_for) from error

    def passed(self, waiting_for: str) -> ApiError:
        message = f"the deadline passed after {self.seconds:.3f} s, waiting for {waiting_for}"
        return ApiError(504, "deadline_exceeded", message)


class RequestScope:
    """What every step of one request shares. `app.http.request_scope` makes it, once for each request.

    `body` is the whole body, decompressed; `started` is when the request came in, a time of `perf_counter`.
    """

    def __init__(
        self, context: InferenceContext, loaded: LoadedModel, deadline: Deadline, started: float
    ) -> None:
        self.context = context
        self.loaded = loaded
        self.deadline = deadline
        self.started = started
        self.body = b""
        self.stages = dict.fromkeys(STAGES, 0.0)
        """Seconds spent in each stage so far."""

    @property
    def model(self) -> ServedModel:
        return self.loaded.model

    def record(self, stage: str, started: float, ended: float) -> None:
        """Add time to one of the `STAGES`; `started` and `ended` are times of `perf_counter`.

        This one record is what timings_ms, Server-Timing, the metrics and the trace are made of.
        """
        self._count(stage, started, ended)
        self._trace(stage, started, ended)

    def _count(self, stage: str, started: float, ended: float) -> None:
        self.stages[stage] += max(0.0, ended - started)

    def _trace(self, stage: str, started: float, ended: float, **attributes: int) -> None:
        if self.context.tracing is not None:
            self.context.tracing.stage(stage, started, ended, attributes)

    async def run(
        self, work: Callable[[], T], waiting_for: str, *, is_large: bool = False, stop: Stop | None = None
    ) -> T:
        """The result of `work`, run as `ThreadPools.decode` runs it, by the deadline."""
        running = self.context.threads.decode(work, is_large=is_large, stop=stop)
        return await self.wait(running, waiting_for)

    async def wait(self, work: Awaitable[T], waiting_for: str) -> T:
        """The result of `work`, by the deadline; see `Deadline.wait`."""
        return await self.deadline.wait(work, waiting_for)

    async def pytorch(self) -> None:
        """Wait until PyTorch is imported. Raises `ApiError` 501 where it is not installed."""
        await self.wait(self.context.pytorch.ready(), "PyTorch to be imported")

    async def score(self, images: Sequence[Pixels]) -> list[Scores]:
        """What the model says of `images`, one or more of its size. Raises what `Batcher.submit` raises.

        The time in which none of the batches with these images is computed is recorded as `queue`, all other
        time as `inference`.
        """
        now = perf_counter()
        scores = await self.loaded.batcher.submit(images, deadline=self.deadline.at)
        for started, batch in sorted({score.started: score for score in scores}.items()):
            ended = started + batch.inference_seconds
            if started > now:
                self.record("queue", now, started)
            # Where batches run side by side, the time that they share counts once.
            self._count("inference", max(now, started), ended)
            self._trace("inference", started, ended, **{"batch.size": batch.batch_size})
            now = max(now, ended)
        return scores

    def finish(self, images: int, unfamiliar: int = 0) -> str:
        """Count `images` as classified, and the time spent in each stage; returns the header Server-Timing.

        So many of them were `unfamiliar`.

        Source of its format: https://www.w3.org/TR/server-timing/, in milliseconds.
        """
        about, metrics, tracing = self.model.metadata, self.context.metrics, self.context.tracing
        for stage, seconds in self.stages.items():
            metrics.stage(stage, seconds)
        metrics.images(images, about.name, about.version, unfamiliar)
        if tracing is not None:
            tracing.describe({"images": images})
        return ", ".join(f"{stage};dur={seconds * 1000:.3f}" for stage, seconds in self.stages.items())
