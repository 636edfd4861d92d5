"""A batch that hangs is told from one that takes long."""

import pytest

from app.batching.thread_pools import STUCK_SECONDS, TIMES_LONGEST, EngineWatch


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_batch_that_does_not_end_is_stuck_and_one_that_ends_is_not() -> None:
    clock = Clock()
    watch = EngineWatch(clock)
    assert watch.stuck_seconds() is None
    with watch.computing():
        clock.now += STUCK_SECONDS
        assert watch.stuck_seconds() is None
        clock.now += 1
        assert watch.stuck_seconds() == STUCK_SECONDS + 1
    assert watch.stuck_seconds() is None


def test_batches_one_after_the_other_are_work_and_a_failing_one_has_ended() -> None:
    clock = Clock()
    watch = EngineWatch(clock)

    def fail() -> None:
        with watch.computing():
            clock.now += STUCK_SECONDS - 1
            assert watch.stuck_seconds() is None
            raise RuntimeError("no memory")

    for _ in range(10):
        with pytest.raises(RuntimeError, match="no memory"):
            fail()


@pytest.mark.parametrize("tried", [True, False])
def test_where_batches_take_long_one_may_take_longer(tried: bool) -> None:
    clock = Clock()
    watch = EngineWatch(clock)
    if tried:
        watch.has_taken(5)
    else:
        with watch.computing():
            clock.now += 5
    with watch.computing():
        clock.now += 5 * TIMES_LONGEST
        assert watch.stuck_seconds() is None
        clock.now += 1
        assert watch.stuck_seconds() is not None


def test_a_pause_of_the_process_is_no_time_of_a_batch() -> None:
    clock = Clock()
    watch = EngineWatch(clock)
    with watch.computing():
        clock.now += 1000
        watch.was_held_up(999.5)
        assert watch.stuck_seconds() is None
    # Nor the measure for later ones.
    with watch.computing():
        clock.now += STUCK_SECONDS + 1
        assert watch.stuck_seconds() == STUCK_SECONDS + 1


def test_of_several_the_oldest_counts() -> None:
    clock = Clock()
    watch = EngineWatch(clock)
    with watch.computing():
        clock.now += STUCK_SECONDS
        with watch.computing():
            clock.now += 1
            assert watch.stuck_seconds() == STUCK_SECONDS + 1
