"""Make an engine ready: the first batch costs many times what all later ones cost."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from models.engines import Engine, Images

MEASURED_SIZES = (16, 32, 64, 128, 256)
"""Up to 16 any engine gains, and a machine that is busy at the start is not to fix a smaller limit."""

MEASUREMENTS = 3
"""Of which the fastest counts: other load only ever makes one slower, and so does being the first."""

ENOUGH = 0.95
"""Share of the best rate at which a smaller batch, whose images wait less, is the better one."""

LONG_BATCH_SECONDS = 0.1
"""Every image waits for the batch before its own, and then for its own. A size that would take longer than
this is tried only where the last doubling was `WORTH_WAITING`."""

WORTH_WAITING = 1.5
"""Images per second by twice as large a batch, over those by the smaller one."""

LONGEST_SECONDS = 30.0
"""After which no further size is begun, but for the least that a limit is found by."""


class StoppedError(Exception):
    """The service is being stopped."""


@dataclass(frozen=True)
class Warmth:
    """The largest batch, in images, and the seconds of the slowest run: of that size, if it was measured."""

    max_batch: int
    batch_seconds: float


def warm_up(
    engine: Engine, image: Images, max_batch: int | None, is_stopping: Callable[[], bool] = lambda: False
) -> Warmth:
    """Run small and large batches, as many at once as will be.

    To be called on a thread that will compute: torch keeps threads of its own for each one. `image`, uint8
    (1, C, S, S), fills the batches. The limit is `max_batch` if given, else the engine's own, else found by
    measuring: of the `MEASURED_SIZES` that do not take long, the smallest within `ENOUGH` of the best images
    per second. Raises `StoppedError` soon after `is_stopping` says so.
    """

    def run(size: int) -> float:
        if is_stopping():
            raise StoppedError
        start = perf_counter()
        engine.predict(image.repeat(size, axis=0))
        return perf_counter() - start

    limit = max_batch or engine.max_batch
    if limit is None:
        found = _measure(run)
        if engine.concurrency == 1:
            return found  # each of these sizes has been run
        limit = found.max_batch
    begun = perf_counter()
    seconds = 0.0
    with ThreadPoolExecutor(engine.concurrency) as others:
        for size in _sizes(limit):
            beside = [others.submit(run, size) for _ in range(engine.concurrency - 1)]
            seconds = max(seconds, run(size))
            for future in beside:
                future.result()
            if perf_counter() - begun > LONGEST_SECONDS:
                break
    return Warmth(limit, seconds)


def _sizes(limit: int) -> Iterator[int]:
    """Every doubling, and the limit. A size between them takes some 20 ms longer when it first comes.

    To run all would hold up the start by as much for each, and engines keep what they prepare for a size: all
    up to 512 took three minutes and 9.7 GB.
    """
    size = 1
    while size < limit:
        yield size
        size *= 2
    yield limit


def _measure(run: Callable[[int], float]) -> Warmth:
    """Run every doubling until a larger batch is not worth it."""
    half = MEASURED_SIZES[0] // 2
    for size in _sizes(half):
        run(size)
    rate = half / run(half)
    begun = perf_counter()
    taken: dict[int, list[float]] = {}
    rates: dict[int, float] = {}
    for size in MEASURED_SIZES:
        taken[size] = [run(size), run(size)]
        if min(taken[size]) <= LONG_BATCH_SECONDS:  # else the start would wait too
            taken[size] += [run(size) for _ in range(MEASUREMENTS - 2)]
        seconds = min(taken[size])
        rates[size] = size / seconds
        gain, rate = rates[size] / rate, rates[size]
        if 2 * seconds > LONG_BATCH_SECONDS and gain < WORTH_WAITING:
            break
        if perf_counter() - begun > LONGEST_SECONDS:
            break
    enough = ENOUGH * max(rates.values())
    limit = min(size for size, rate in rates.items() if rate >= enough)
    return Warmth(limit, max(taken[limit]))
