"""What the routes share: the settings, the threads, the models with their batchers, and the metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from torch import Tensor

from app.batching.batcher import Batcher
from app.batching.retry_after import Schedule
from app.batching.scores import Scores
from app.batching.thread_pools import ThreadPools
from app.batching.throughput import Throughput
from app.errors import ApiError
from app.inference.deadline import Deadline
from app.observability.metrics import Metrics
from app.observability.server_timing import server_timing
from app.observability.tracing import Tracing
from app.registry.control import ModelControl
from app.registry.loaded_model import LoadedModel
from app.registry.repository import UnknownModelError
from app.registry.served_model import ServedModel
from app.settings import Settings
from models.artifact.store import ModelMetadata


@dataclass(frozen=True)
class Service:
    settings: Settings
    workers: ThreadPools
    control: ModelControl
    metrics: Metrics
    throughput: Throughput
    tracing: Tracing | None = None
    schedule: Schedule = field(default_factory=Schedule)

    @property
    def model(self) -> ServedModel:
        """What answers a request that names no model."""
        return self.control.find().model

    @property
    def batcher(self) -> Batcher[Tensor, Scores]:
        """What stands before `model`."""
        return self.control.find().batcher

    @property
    def is_full(self) -> bool:
        """Whether the next request that names no model would be turned away."""
        return self.workers.is_full or self.batcher.depth >= self.settings.max_queue

    def retry_after(self) -> int:
        """Whole seconds, 1..60, until there will be room, at the rate of late.

        Until then, what waits now will be done, and those will have come who were told to come before.
        """
        waiting = max(self.workers.admitted, self.queue_depth())
        rate = self.throughput.per_second()
        return self.schedule.reserve(waiting / rate, rate) if rate else 1

    def queue_depth(self) -> int:
        """How many images wait, for whichever model."""
        return sum(loaded.batcher.depth for loaded in self.control.models())

    def cached_files(self) -> int:
        """How many files' results are kept, for all models."""
        return sum(len(loaded.cache) for loaded in self.control.models() if loaded.cache is not None)

    def use(
        self, name: str | None = None, version: str | None = None, *, parameter: str = "name"
    ) -> LoadedModel:
        """The model to enter for the time of a request; by default the one for requests that name none.

        Raises `ApiError` 404 where there is no such model, naming the `parameter` for it, or no such version.
        """
        try:
            loaded = self.control.find(name, version)
        except UnknownModelError as error:
            if error.version is None:
                raise ApiError(404, "unknown_model", str(error), parameter) from error
            raise ApiError(404, "unknown_version", str(error), "version") from error
        if self.tracing is not None:
            about = loaded.model.metadata
            self.tracing.describe({"model.name": about.name, "model.version": about.version})
        return loaded

    async def score(self, images: Sequence[Tensor], loaded: LoadedModel, deadline: Deadline) -> list[Scores]:
        """What the model says of `images`, one or more of its size. Raises what `Batcher.submit` raises."""
        asked = perf_counter()
        scores = await loaded.batcher.submit(images, deadline=deadline.at)
        if self.tracing is not None:
            batches = {score.started: score for score in scores}
            self.tracing.stage("queue", asked, min(batches))
            for started, batch in sorted(batches.items()):
                size = {"batch.size": batch.batch_size}
                self.tracing.stage("inference", started, started + batch.inference_seconds, size)
        return scores

    def trace_stage(self, name: str, started: float, ended: float) -> None:
        """Put a stage into the request's trace, if there is one; both are times of `perf_counter`."""
        if self.tracing is not None:
            self.tracing.stage(name, started, ended)

    def record(self, about: ModelMetadata, images: int, stages: Mapping[str, float]) -> str:
        """Count what a request did and how long each stage took; returns the header Server-Timing."""
        for stage, seconds in stages.items():
            self.metrics.stage(stage, seconds)
        self.metrics.images(images, about.name, about.version)
        if self.tracing is not None:
            ended = perf_counter()
            self.tracing.stage("respond", ended - stages["respond"], ended)
            self.tracing.describe({"images": images})
        return server_timing(stages)

    def find(self, name: str, version: str | None = None) -> ServedModel:
        """As `use`, for what is known about the model. Raises `ApiError` 404."""
        return self.use(name, version).model
