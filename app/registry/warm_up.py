"""Make an engine ready: the first batch of every size costs many times what all later ones cost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from time import perf_counter

from torch import Tensor

from models.engines import Engine

MEASURED_SIZES = (8, 16, 32, 64, 128, 256)
MEASUREMENTS = 5
ENOUGH = 0.95
"""Share of the best rate at which a smaller batch, whose images wait less, is the better one."""


def warm_up(engine: Engine, image: Tensor, max_batch: int | None) -> int:
    """Run every batch size that will be used, as many batches at once as will be; returns the largest size.

    To be called on a thread that will compute: torch keeps threads of its own for each one. `image`, float32
    (C, S, S), fills the batches. The limit is `max_batch` if given, else the engine's own,
    else found by measuring: the smallest of `MEASURED_SIZES` within `ENOUGH` of the best images per second.
    """

    def run(size: int) -> None:
        engine.predict(image.expand(size, *image.shape).contiguous())

    limit = max_batch or engine.max_batch or _measured_limit(run)
    with ThreadPoolExecutor(engine.concurrency) as others:
        for size in range(1, limit + 1):
            beside = [others.submit(run, size) for _ in range(engine.concurrency - 1)]
            run(size)
            for future in beside:
                future.result()
    return limit


def _measured_limit(run: Callable[[int], None]) -> int:
    rates = {}
    for size in MEASURED_SIZES:
        run(size)
        seconds = []
        for _ in range(MEASUREMENTS):
            start = perf_counter()
            run(size)
            seconds.append(perf_counter() - start)
        rates[size] = size / median(seconds)
    return min(size for size, rate in rates.items() if rate >= ENOUGH * max(rates.values()))
