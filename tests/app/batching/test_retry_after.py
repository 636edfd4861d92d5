"""Those who are rejected come back one after the other, and are recognised."""

import pytest

from app.batching.retry_after import (
    BOOKED_SHARE,
    LATE_SECONDS,
    LATEST_BACKLOG_SECONDS,
    LATEST_SECONDS,
    RetryAfterSchedule,
)


class Clock:
    now = 1000.25

    def __call__(self) -> float:
        return self.now


def reserve(schedule: RetryAfterSchedule, images: int, earliest: float, per_second: float) -> int:
    """For a request that has never been there."""
    key = str(len(schedule.tickets)).encode()
    return schedule.reserve(key, images, earliest, BOOKED_SHARE**-1 * per_second)


@pytest.mark.parametrize(("images", "per_second"), [(1, 3), (16, 48), (5, 15)])
def test_a_second_is_given_to_as_many_images_as_are_computed_in_it(images: int, per_second: float) -> None:
    schedule = RetryAfterSchedule(Clock())
    given = [reserve(schedule, images, 0.1, per_second) for _ in range(8)]
    assert given == [1, 1, 1, 2, 2, 2, 3, 3]


def test_a_request_of_more_images_than_a_second_has_takes_several() -> None:
    schedule = RetryAfterSchedule(Clock())
    assert [reserve(schedule, 8, 0.5, 4) for _ in range(3)] == [1, 3, 5]


def test_nobody_is_told_to_come_before_what_waits_is_done() -> None:
    schedule = RetryAfterSchedule(Clock())
    assert [reserve(schedule, 1, 4.2, 1) for _ in range(3)] == [5, 6, 7]


def test_time_that_has_passed_is_not_given() -> None:
    clock = Clock()
    schedule = RetryAfterSchedule(clock)
    assert [reserve(schedule, 1, 0.5, 2) for _ in range(4)] == [1, 1, 2, 2]
    clock.now += 10
    assert [reserve(schedule, 1, 0.5, 2) for _ in range(4)] == [1, 1, 2, 2]


def test_nobody_is_sent_away_for_longer_than_the_latest() -> None:
    schedule = RetryAfterSchedule(Clock())
    assert schedule.reserve(b"a", 1, 100, 0.01) == LATEST_BACKLOG_SECONDS
    given = [schedule.reserve(b"%d" % number, 1, 1, 0.01) for number in range(10)]
    assert given[0] == 2 * LATEST_BACKLOG_SECONDS
    assert given[-1] == LATEST_SECONDS
    assert not schedule.redeem(b"9")  # for which no place could be kept


def test_a_request_is_recognised_once_and_in_its_time() -> None:
    clock = Clock()
    schedule = RetryAfterSchedule(clock)
    assert schedule.reserve(b"mine", 1, 4.5, 10) == 5
    assert not schedule.redeem(b"mine")
    clock.now += 4.5
    assert not schedule.redeem(b"other")
    assert schedule.is_expecting()
    assert schedule.redeem(b"mine")
    assert not schedule.redeem(b"mine")
    assert not schedule.is_expecting()


def test_who_comes_too_late_is_expected_no_more() -> None:
    clock = Clock()
    schedule = RetryAfterSchedule(clock)
    schedule.reserve(b"mine", 1, 0.5, 10)
    clock.now += 1 + LATE_SECONDS
    assert schedule.is_expecting()
    clock.now += 0.1
    assert not schedule.is_expecting()
    assert not schedule.redeem(b"mine")


def test_who_is_recognised_need_not_be_left_a_place() -> None:
    clock = Clock()
    schedule = RetryAfterSchedule(clock)
    assert schedule.reserve(b"mine", 1, 0.5, 10, keeps_place=False) == 1
    assert not schedule.is_expecting()
    assert schedule.redeem(b"mine")
    schedule.reserve(b"mine", 1, 0.5, 10)
    assert schedule.is_expecting()
    schedule.reserve(b"mine", 1, 0.5, 10, keeps_place=False)
    assert not schedule.is_expecting()


def test_who_cannot_be_recognised_is_told_the_time_and_takes_none() -> None:
    schedule = RetryAfterSchedule(Clock())
    assert schedule.ask(4.2) == 5
    assert reserve(schedule, 2, 4.2, 1) == 5
    assert [schedule.ask(4.2) for _ in range(3)] == [7, 7, 7]
    assert len(schedule.tickets) == 1


def test_a_rate_that_was_low_for_a_moment_is_made_up_for_soon() -> None:
    """A hundred wait when an engine has just hung: it is taken to do a hundred a minute."""
    clock = Clock()
    schedule = RetryAfterSchedule(clock)
    for number in range(10):
        schedule.reserve(b"%d" % number, 1, 100 / 0.001, 0.001)
    assert schedule.ask(0.5) == pytest.approx(LATEST_BACKLOG_SECONDS + 10 * 0.6 / BOOKED_SHARE, abs=1)
    clock.now += 70
    assert schedule.ask(0.5) == 1
    schedule.reserve(b"a", 100_000, float("inf"), 1e-300)
    assert schedule.ask(0.5) <= 2 * LATEST_BACKLOG_SECONDS
