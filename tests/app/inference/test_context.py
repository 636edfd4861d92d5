"""A service that has been overloaded once lets requests in again as soon as it has little to do."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.batching.retry_after import RetryAfterSchedule
from app.inference.context import InferenceContext
from app.settings import Settings

IMAGES_PER_SECOND = 100.0


class Service:
    """A context whose load and time are as the test says; requests are told apart by a number."""

    def __init__(self, max_queue: int, max_concurrent_requests: int) -> None:
        self.now = 0.0
        self.requests = 0
        self.batcher = SimpleNamespace(
            depth=0, throughput=SimpleNamespace(per_second=lambda: IMAGES_PER_SECOND)
        )
        self.threads = SimpleNamespace(admitted=0)
        self.context = InferenceContext(
            Settings(max_queue=max_queue, max_concurrent_requests=max_concurrent_requests),
            cast("Any", self.threads),
            cast("Any", self),
            cast("Any", None),
            schedule=RetryAfterSchedule(lambda: self.now),
        )

    def models(self) -> list[Any]:
        return [SimpleNamespace(batcher=self.batcher)]

    def is_let_in(self, images: int) -> bool:
        """A request that has never been there; a rejected one is told when to come, and does not."""
        self.requests += 1
        key = b"%d" % self.requests
        if self.context.has_place(key, images):
            return True
        self.context.retry_after(key, images, keeps_place=False)
        return False

    def was_full(self, images: int) -> None:
        self.context.retry_after(b"was told to come", images, keeps_place=True)


@pytest.mark.parametrize(("max_queue", "images"), [(1, 1), (100, 60), (256, 256)])
def test_a_service_with_nothing_to_do_lets_in_whoever_comes(max_queue: int, images: int) -> None:
    service = Service(max_queue, max_concurrent_requests=64)
    service.was_full(images)
    assert service.context.schedule.is_expecting()
    assert service.is_let_in(images)


def test_a_rejection_for_a_kept_place_keeps_no_other() -> None:
    """Pairs of new requests, one a second: the second of each is let in once nobody is expected any more."""
    service = Service(max_queue=100, max_concurrent_requests=2)
    service.was_full(images=1)
    service.threads.admitted = 1
    let_in = []
    for _ in range(20):
        let_in.append(service.is_let_in(images=1))
        service.now += 1
    assert not let_in[0]
    assert all(let_in[12:])


def test_half_of_the_places_are_left_to_who_was_told_to_come() -> None:
    service = Service(max_queue=100, max_concurrent_requests=64)
    service.was_full(images=30)
    service.batcher.depth = 40
    assert service.is_let_in(images=10)
    assert not service.is_let_in(images=11)
    assert service.context.has_place(b"was told to come", 60)
