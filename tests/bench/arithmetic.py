"""From single measurements to the figures that are reported."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What one load of `requests` answered requests, each of one image, came to in `seconds`.

    The times are from the first byte sent to the last byte received, in milliseconds.
    """

    requests: int
    errors: int
    seconds: float
    images_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that at least `percent` (0..100) of them do not exceed.

    Raises `ValueError` for no values.
    """
    if not values:
        raise ValueError("values must hold at least one number, got none")
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


def load_of(latencies: Sequence[float], seconds: float) -> Load:
    """Sum up requests that took `latencies` seconds each, within `seconds` in all."""
    p50, p95, p99 = (1000 * percentile(latencies, percent) for percent in (50, 95, 99))
    return Load(len(latencies), 0, seconds, len(latencies) / seconds, p50, p95, p99)


def median_load(loads: Sequence[Load]) -> Load:
    """One case over its rounds: counts and seconds add up, of rate and latencies the medians are taken."""

    def median(field: str) -> float:
        values: list[float] = [getattr(load, field) for load in loads]
        return statistics.median(values)

    return Load(
        requests=sum(load.requests for load in loads),
        errors=sum(load.errors for load in loads),
        seconds=sum(load.seconds for load in loads),
        images_per_second=median("images_per_second"),
        p50_ms=median("p50_ms"),
        p95_ms=median("p95_ms"),
        p99_ms=median("p99_ms"),
    )


def best(rates: Iterable[tuple[int, float]]) -> tuple[int, float]:
    """The batch size of the highest rate, and that rate; of equal rates the smaller size."""
    return max(rates, key=lambda pair: (pair[1], -pair[0]))


def ratio(value: float, limit: float) -> float:
    """`value` as a share of `limit`, to three places. Raises `ValueError` for a limit that is not above 0."""
    if limit <= 0:
        raise ValueError(f"limit must be above 0, got {limit}")
    return round(value / limit, 3)
