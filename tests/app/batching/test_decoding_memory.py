"""Decoded images take no more memory together than they are given, and none waits for ever."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.batching import decoding_memory
from app.batching.decoding_memory import (
    LEAST_BODIES_BYTES,
    LEAST_BYTES,
    MOST_BODIES_BYTES,
    MOST_BYTES,
    SERVICE_BYTES,
    SLIM_BYTES,
    DecodingMemory,
    default_bodies_bytes,
    default_decoding_bytes,
)
from models.preprocessing.stopping import Stop, StoppedError


def test_what_does_not_fit_waits_and_is_let_in_when_there_is_room() -> None:
    memory = DecodingMemory(100)
    with ThreadPoolExecutor(1) as pool:
        done = threading.Event()

        def later() -> int:
            with memory.hold(60, Stop()):
                assert done.is_set()
                return memory.held

        with memory.hold(60, Stop()):
            waiting = pool.submit(later)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
            done.set()
        assert waiting.result(timeout=60) == 60
    assert memory.held == 0


def test_never_more_is_held_than_there_is() -> None:
    memory = DecodingMemory(100)
    most: list[int] = []

    def work(needed: int) -> None:
        with memory.hold(needed, Stop()):
            most.append(memory.held)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work, 10 + 30 * (i % 4)) for i in range(200)]:
            future.result(timeout=30)
    assert len(most) == 200
    assert max(most) <= 100
    assert memory.held == 0


def test_a_large_one_is_not_overtaken_for_ever_by_small_ones() -> None:
    memory = DecodingMemory(100)
    order: list[str] = []

    def work(name: str, needed: int) -> None:
        with memory.hold(needed, Stop()):
            order.append(name)

    with ThreadPoolExecutor(2) as pool, memory.hold(50, Stop()):
        large = pool.submit(work, "large", 100)
        while not memory._waiting:
            pass
        small = pool.submit(work, "small", 10)
        with pytest.raises(TimeoutError):
            small.result(timeout=0.2)
    large.result(timeout=60)
    small.result(timeout=60)
    assert order == ["large", "small"]


def test_what_waits_for_nobody_gives_its_place_up() -> None:
    memory = DecodingMemory(100)
    stop = Stop()
    with ThreadPoolExecutor(1) as pool, memory.hold(100, Stop()):

        def wait() -> None:
            with memory.hold(1, stop):
                pytest.fail("there was no room")

        waiting = pool.submit(wait)
        stop.ask()
        with pytest.raises(StoppedError):
            waiting.result(timeout=60)
    with memory.hold(100, Stop()):
        assert memory.held == 100


@pytest.mark.parametrize(
    ("limit", "workers", "expected"),
    [
        (1 << 30, 1, LEAST_BYTES),
        (512 << 20, 1, LEAST_BYTES),
        (2 << 30, 1, 576 << 20),
        (4 << 30, 2, 576 << 20),
        (64 << 30, 1, MOST_BYTES),
    ],
)
def test_the_default_is_half_of_what_the_service_leaves(
    monkeypatch: pytest.MonkeyPatch, limit: int, workers: int, expected: int
) -> None:
    monkeypatch.setattr(decoding_memory, "usable_memory", lambda: limit)
    assert default_decoding_bytes(workers) == expected


def test_bodies_get_half_as_much_and_all_fit_into_a_container_of_one_gibibyte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def given(memory: float, workers: int = 1) -> int:
        monkeypatch.setattr("app.batching.decoding_memory.usable_memory", lambda: memory)
        return default_bodies_bytes(workers)

    assert given(1 << 30) == LEAST_BODIES_BYTES
    assert SERVICE_BYTES + LEAST_BYTES + LEAST_BODIES_BYTES <= 1 << 30
    assert given(SERVICE_BYTES + (1 << 30)) == 256 << 20
    assert given(2 * SERVICE_BYTES + (1 << 30), workers=2) == 128 << 20
    assert given(float("inf")) == MOST_BODIES_BYTES


def test_without_pytorch_a_container_of_half_the_size_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding_memory, "find_spec", lambda _: None)
    monkeypatch.setattr(decoding_memory, "usable_memory", lambda: 512 << 20)
    assert default_decoding_bytes(1) == 96 << 20
    assert SLIM_BYTES + default_decoding_bytes(1) + default_bodies_bytes(1) <= 512 << 20
