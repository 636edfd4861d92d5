"""The figures that the benchmarks report are those of the requests that were measured."""

import pytest

from tests.bench.arithmetic import Load, best, load_of, median_load, percentile, ratio


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (50, 50), (95, 95), (99, 99), (99.1, 100), (100, 100)]
)
def test_percentile_is_the_smallest_value_that_so_many_do_not_exceed(percent: float, expected: float) -> None:
    assert percentile(list(range(100, 0, -1)), percent) == expected


def test_every_percentile_of_one_value_is_that_value() -> None:
    assert [percentile([7.5], percent) for percent in (0, 50, 99)] == [7.5, 7.5, 7.5]


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="at least one number, got none"):
        percentile([], 50)


def test_load_counts_requests_and_turns_seconds_into_milliseconds() -> None:
    load = load_of([0.001 * number for number in range(1, 101)], seconds=2)
    assert (load.requests, load.errors, load.seconds, load.images_per_second) == (100, 0, 2, 50)
    assert (load.p50_ms, load.p95_ms, load.p99_ms) == pytest.approx((50, 95, 99))


def test_median_load_is_not_moved_by_one_slow_round() -> None:
    rounds = [
        Load(100, 0, 1.0, 100.0, 10.0, 20.0, 30.0),
        Load(10, 1, 1.5, 6.7, 400.0, 500.0, 600.0),
        Load(110, 0, 1.0, 110.0, 9.0, 19.0, 29.0),
    ]
    assert median_load(rounds) == Load(220, 1, 3.5, 100.0, 10.0, 20.0, 30.0)


def test_best_batch_size_is_the_smaller_of_equals() -> None:
    assert best([(1, 600.0), (8, 800.0), (16, 800.0), (32, 750.0)]) == (8, 800.0)


def test_ratio_has_three_places() -> None:
    assert ratio(2, 3) == 0.667


@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_ratio_to_nothing_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="limit must be above 0"):
        ratio(1, limit)
