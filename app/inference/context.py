"""What all requests share: the settings, the threads, the models with their batchers, and the metrics."""

from dataclasses import dataclass, field

from torch import Tensor

from app.batching.batcher import Batcher
from app.batching.retry_after import RetryAfterSchedule
from app.batching.scores import Scores
from app.batching.thread_pools import ThreadPools
from app.observability.metrics import ServiceMetrics
from app.observability.tracing import Tracing
from app.registry.control import ModelControl
from app.registry.served_model import ServedModel
from app.settings import Settings


@dataclass(frozen=True)
class InferenceContext:
    settings: Settings
    threads: ThreadPools
    control: ModelControl
    metrics: ServiceMetrics
    tracing: Tracing | None = None
    schedule: RetryAfterSchedule = field(default_factory=RetryAfterSchedule)

    @property
    def model(self) -> ServedModel:
        """What answers a request that names no model."""
        return self.control.find().model

    @property
    def batcher(self) -> Batcher[Tensor, Scores]:
        """What stands before `model`."""
        return self.control.find().batcher

    def retry_after(self) -> int:
        """Whole seconds, 1..60, until there will be room, at the recent rate.

        Until then, what waits now will be done, and those will have come who were told to come before.
        """
        waiting = max(self.threads.admitted, self.queue_depth())
        rate = self.images_per_second()
        return self.schedule.reserve(waiting / rate, rate) if rate else 1

    def images_per_second(self) -> float:
        """How many were computed recently, by all models; 0 before there is one."""
        return sum(loaded.batcher.throughput.per_second() for loaded in self.control.models())

    def queue_depth(self) -> int:
        """How many images wait, for whichever model."""
        return sum(loaded.batcher.depth for loaded in self.control.models())

    def cached_files(self) -> int:
        """How many files' results are kept, for all models."""
        return sum(len(loaded.cache) for loaded in self.control.models() if loaded.cache is not None)
