"""At twice the capacity, those who come back when they were told to are let in."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.batching.batch_errors import QueueFullError
from app.batching.batcher import Batcher
from app.batching.retry_after import PlacesKeptError, RetryAfterSchedule
from app.inference.context import InferenceContext
from app.settings import Settings
from tests.support.virtual_clock import run

IMAGES_PER_SECOND = 64
MAX_BATCH = 16
SECONDS = 30
SETTINGS = Settings(max_queue=256, max_concurrent_requests=128)


@dataclass
class Load:
    """Requests at twice the capacity, each of so many images; who is rejected comes back when told to."""

    images: int
    obedient: float = 1.0
    let_in: int = 0
    rejected: int = 0
    returned_let_in: int = 0
    returned_rejected: int = 0
    computed: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.admitted = 0
        self.random = random.Random(0)
        run(self._main())

    async def _main(self) -> None:
        clock = asyncio.get_running_loop().time

        async def compute(items: list[int]) -> list[int]:
            await asyncio.sleep(len(items) / IMAGES_PER_SECOND)
            self.computed += len(items)
            return items

        self.batcher = Batcher(compute, max_batch=MAX_BATCH, max_queue=SETTINGS.max_queue)
        loaded: Any = SimpleNamespace(batcher=self.batcher)
        control: Any = SimpleNamespace(models=lambda: [loaded])
        self.context = InferenceContext(
            SETTINGS, cast("Any", self), control, cast("Any", None), schedule=RetryAfterSchedule(clock)
        )
        number = 0
        while clock() < SECONDS:
            self.tasks.append(asyncio.create_task(self._client(b"%d" % number)))
            number += 1
            await asyncio.sleep(self.random.expovariate(2 * IMAGES_PER_SECOND / self.images))
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.batcher.close()

    async def _client(self, key: bytes) -> None:
        is_back = False
        while True:
            seconds = await self._ask(key)
            if seconds is None:
                self.let_in += 1
                self.returned_let_in += is_back
                return
            self.rejected += 1
            self.returned_rejected += is_back
            if self.random.random() > self.obedient:
                return
            await asyncio.sleep(seconds + self.random.uniform(0, 0.05))
            is_back = True

    async def _ask(self, key: bytes) -> int | None:
        """None for one that was let in; as `app.http.request_scope` does it."""
        try:
            with self._admit(key):
                await self.batcher.submit([0] * self.images)
        except QueueFullError:
            return self.context.retry_after(key, self.images, keeps_place=True)
        except PlacesKeptError:
            return self.context.retry_after(key, self.images, keeps_place=False)
        return None

    @contextmanager
    def _admit(self, key: bytes) -> Iterator[None]:
        if not self.context.has_place(key, self.images):
            raise PlacesKeptError
        if self.admitted >= SETTINGS.max_concurrent_requests:
            raise QueueFullError(self.images, self.batcher.depth, SETTINGS.max_queue)
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1


@pytest.mark.parametrize("images", [1, 4, 16, 64])
def test_four_of_five_who_come_back_are_let_in(images: int) -> None:
    load = Load(images)
    assert load.returned_let_in > 5
    assert load.returned_let_in >= 0.8 * (load.returned_let_in + load.returned_rejected)
    assert load.computed >= 0.95 * SECONDS * IMAGES_PER_SECOND


@pytest.mark.parametrize("images", [1, 16])
def test_places_that_nobody_comes_back_for_are_not_lost(images: int) -> None:
    load = Load(images, obedient=0.0)
    assert load.returned_let_in == load.returned_rejected == 0
    assert load.computed >= 0.95 * SECONDS * IMAGES_PER_SECOND
