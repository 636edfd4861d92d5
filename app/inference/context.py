"""What all requests share: the settings, the threads, the models with their batchers, and the metrics."""

from dataclasses import dataclass, field

from app.batching.batcher import Batcher
from app.batching.retry_after import RetryAfterSchedule
from app.batching.scores import Scores
from app.batching.thread_pools import ThreadPools
from app.feedback.store import FeedbackStore
from app.observability.metrics import ServiceMetrics
from app.observability.tracing import Tracing
from app.registry.control import ModelControl
from app.registry.pytorch import PyTorch
from app.registry.served_model import Pixels, ServedModel
from app.settings import Settings


@dataclass(frozen=True)
class InferenceContext:
    settings: Settings
    threads: ThreadPools
    control: ModelControl
    metrics: ServiceMetrics
    tracing: Tracing | None = None
    feedback: FeedbackStore | None = None
    pytorch: PyTorch = field(default_factory=PyTorch)
    schedule: RetryAfterSchedule = field(default_factory=RetryAfterSchedule)

    @property
    def model(self) -> ServedModel:
        """What answers a request that names no model."""
        return self.control.find().model

    @property
    def batcher(self) -> Batcher[Pixels, Scores]:
        """What stands before `model`."""
        return self.control.find().batcher

    def has_place(self, key: bytes, images: int) -> bool:
        """Whether a request may be let in as far as places are kept for those who were told to come back.

        It was told so itself, or no more than half of all places are taken with it. Where no images wait, it
        may be of any size: a request for more than half of the places would otherwise find no idle service.
        """
        if self.schedule.redeem(key) or not self.schedule.is_expecting():
            return True
        waiting = self.queue_depth()
        return 2 * self.threads.admitted < self.settings.max_concurrent_requests and (
            not waiting or 2 * (waiting + images) <= self.settings.max_queue
        )

    def retry_after(self, key: bytes | None, images: int, *, keeps_place: bool) -> int:
        """Whole seconds, 1..300, until there will be a place for a request of so many images.

        Until then, at the recent rate, what waits now will be done, and those will have come who were told to
        come before. `key` is None for a request that has not been read, and so will not be recognised.
        `keeps_place` says whether others leave it its place.
        """
        waiting = max(self.threads.admitted, self.queue_depth())
        rate = self.images_per_second()
        if not rate:
            return 1
        if key is None:
            return self.schedule.ask(waiting / rate)
        return self.schedule.reserve(key, images, waiting / rate, rate, keeps_place=keeps_place)

    def images_per_second(self) -> float:
        """How many were computed recently, by all models; 0 before there is one."""
        return sum(loaded.batcher.throughput.per_second() for loaded in self.control.models())

    def queue_depth(self) -> int:
        """How many images wait, for whichever model."""
        return sum(loaded.batcher.depth for loaded in self.control.models())

    def cached_files(self) -> int:
        """How many files' results are kept, for all models."""
        return sum(len(loaded.cache) for loaded in self.control.models() if loaded.cache is not None)
