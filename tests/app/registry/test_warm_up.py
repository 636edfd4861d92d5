"""Batches are run before they count, on every thread that will run them."""

import threading
from collections import Counter

import numpy as np
import pytest

from app.registry import warm_up as module
from app.registry.warm_up import StoppedError, Warmth, warm_up
from models.engines.base import Floats, Images, Precision

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8), np.uint8)


class FakeEngine:
    name = version = "fake"
    device = "cpu"
    precision: Precision = "float32"

    def __init__(self, concurrency: int, max_batch: int | None) -> None:
        self.concurrency = concurrency
        self.max_batch = max_batch
        self.sizes: Counter[int] = Counter()
        self.callers: Counter[int] = Counter()
        self.together = threading.Barrier(concurrency, timeout=60)

    def predict(self, images: Images) -> Floats:
        assert images.dtype == np.uint8
        assert all(np.array_equal(image, IMAGE[0]) for image in images)
        assert images.flags.c_contiguous
        self.together.wait()
        self.sizes[len(images)] += 1
        self.callers[threading.get_ident()] += 1
        return np.zeros((len(images), 2), np.float32)

    def predict_with_features(self, images: Images) -> tuple[Floats, Floats]:
        return self.predict(images), np.zeros((len(images), 3), np.float32)

    def for_throughput(self) -> None:
        """Nothing to gain."""


@pytest.mark.parametrize("concurrency", [1, 3])
def test_each_size_is_run_by_as_many_threads_as_compute_this_one_among_them(concurrency: int) -> None:
    engine = FakeEngine(concurrency, max_batch=5)
    assert warm_up(engine, IMAGE, None).max_batch == 5
    assert engine.sizes == dict.fromkeys((1, 2, 4, 5), concurrency)
    assert engine.callers[threading.get_ident()] == 4


def test_a_given_limit_goes_before_the_engines_own() -> None:
    engine = FakeEngine(1, max_batch=5)
    assert warm_up(engine, IMAGE, 2).max_batch == 2
    assert set(engine.sizes) == {1, 2}


@pytest.mark.parametrize(
    ("seconds_per_batch", "limit"),
    [
        (lambda size: 0.001 * size, 16),  # no gain from any larger batch
        (lambda _: 0.01, 256),  # every image more is free
        (lambda size: 0.001 * max(size, 64), 64),  # free up to 64
        (lambda size: 0.001 + 0.0001 * size, 128),  # the last doubling gains too little
        (lambda size: 0.01 + 0.002 * size, 32),  # a little gain each time, but 64 would take long
        (lambda size: 0.1 + 0.001 * size, 128),  # all take long, and up to here each doubling gains much
    ],
)
def test_without_a_limit_the_smallest_batch_near_the_best_rate_is_found(
    monkeypatch: pytest.MonkeyPatch, seconds_per_batch: object, limit: int
) -> None:
    clock = 0.0

    class Timed(FakeEngine):
        def predict(self, images: Images) -> Floats:
            nonlocal clock
            clock += seconds_per_batch(len(images))  # type: ignore[operator]
            return super().predict(images)

    monkeypatch.setattr(module, "perf_counter", lambda: clock)
    engine = Timed(1, max_batch=None)
    warmth = warm_up(engine, IMAGE, None)
    assert warmth.max_batch == limit
    assert {1, 2, 4, 8, 16, limit} <= set(engine.sizes)
    assert warmth.batch_seconds == pytest.approx(seconds_per_batch(limit))  # type: ignore[operator]


def test_where_twice_as_large_a_batch_gains_nothing_no_larger_one_delays_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = 0.0

    class Steady(FakeEngine):
        def predict(self, images: Images) -> Floats:
            nonlocal clock
            clock += 0.006 * len(images)
            return super().predict(images)

    monkeypatch.setattr(module, "perf_counter", lambda: clock)
    engine = Steady(1, max_batch=None)
    assert warm_up(engine, IMAGE, None).max_batch == 16
    assert engine.sizes == {1: 1, 2: 1, 4: 1, 8: 2, 16: 3}


def test_a_limit_that_was_measured_on_one_thread_is_run_on_all() -> None:
    class Several(FakeEngine):
        def predict(self, images: Images) -> Floats:
            self.sizes[len(images)] += 1
            self.callers[threading.get_ident()] += 1
            return np.zeros((len(images), 2), np.float32)

    engine = Several(2, max_batch=None)
    limit = warm_up(engine, IMAGE, None).max_batch
    on_others = engine.callers.total() - engine.callers[threading.get_ident()]
    assert on_others == len([1, 2, 4, 8, 16]) + (limit // 16).bit_length() - 1


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (16, [1, 2, 4, 8, 16]), (20, [1, 2, 4, 8, 16, 20])],
)
def test_every_doubling_is_run_and_the_largest(limit: int, sizes: list[int]) -> None:
    engine = FakeEngine(1, max_batch=limit)
    warm_up(engine, IMAGE, None)
    assert list(engine.sizes) == sizes


def test_nothing_more_is_run_when_the_service_is_being_stopped() -> None:
    engine = FakeEngine(1, max_batch=5)
    with pytest.raises(StoppedError):
        warm_up(engine, IMAGE, None, lambda: len(engine.sizes) == 2)
    assert set(engine.sizes) == {1, 2}


def test_an_engine_that_is_slow_is_not_waited_for_at_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0

    class Slow(FakeEngine):
        def predict(self, images: Images) -> Floats:
            nonlocal clock
            clock += 10
            return super().predict(images)

    monkeypatch.setattr(module, "perf_counter", lambda: clock)
    engine = Slow(1, max_batch=16)
    assert warm_up(engine, IMAGE, None) == Warmth(16, 10)
    assert set(engine.sizes) == {1, 2, 4, 8}


def test_a_failing_engine_is_not_taken_for_warm() -> None:
    class Broken(FakeEngine):
        def predict(self, images: Images) -> Floats:
            raise RuntimeError(f"no batch of {len(images)}")

    with pytest.raises(RuntimeError, match="no batch of 1"):
        warm_up(Broken(1, 2), IMAGE, None)
