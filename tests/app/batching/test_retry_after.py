"""Those who are turned away come back as many at a time as can be served."""

import pytest

from app.batching.retry_after import LATEST_SECONDS, RetryAfterSchedule


class Clock:
    now = 1000.25

    def __call__(self) -> float:
        return self.now


def test_a_second_is_given_to_as_many_as_are_served_in_it() -> None:
    schedule = RetryAfterSchedule(Clock())
    given = [schedule.reserve(0.1, 3.9) for _ in range(8)]
    assert given == [1, 1, 1, 2, 2, 2, 3, 3]


def test_nobody_is_told_to_come_before_what_waits_is_done() -> None:
    schedule = RetryAfterSchedule(Clock())
    assert [schedule.reserve(4.2, 1) for _ in range(3)] == [5, 6, 7]
    assert schedule.reserve(0, 1) == 1


def test_seconds_that_have_passed_count_no_more() -> None:
    clock = Clock()
    schedule = RetryAfterSchedule(clock)
    assert [schedule.reserve(0, 2) for _ in range(5)] == [1, 1, 2, 2, 3]
    clock.now += 2
    assert [schedule.reserve(0, 2) for _ in range(4)] == [1, 2, 2, 3]


@pytest.mark.parametrize("per_second", [0.001, 1])
def test_nobody_is_sent_away_for_more_than_a_minute(per_second: float) -> None:
    schedule = RetryAfterSchedule(Clock())
    given = [schedule.reserve(1, per_second) for _ in range(70)]
    assert given == [*range(1, LATEST_SECONDS), *[LATEST_SECONDS] * 11]
    assert schedule.reserve(1e9, per_second) == LATEST_SECONDS
    assert schedule.reserve(float("inf"), per_second) == LATEST_SECONDS
