"""How many items a second were finished of late."""

import math
from collections.abc import Callable
from time import monotonic

MEMORY_SECONDS = 5.0
"""After so long, what was finished counts a third."""


class Throughput:
    """A rate in which the past fades exponentially. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._began: float | None = None
        self._updated = 0.0
        self._finished = 0.0

    def add(self, count: int) -> None:
        """Count items that were finished just now."""
        self._fade()
        self._finished += count

    def per_second(self) -> float:
        """The rate since the first item, or 0 before there is one."""
        self._fade()
        if self._began is None or self._updated == self._began:
            return 0.0
        # Without this, the rate would seem low until a memory's length has passed.
        seen = -math.expm1(-(self._updated - self._began) / MEMORY_SECONDS)
        return self._finished / (MEMORY_SECONDS * seen)

    def _fade(self) -> None:
        now = self._clock()
        if self._began is None:
            self._began = now
        else:
            self._finished *= math.exp(-(now - self._updated) / MEMORY_SECONDS)
        self._updated = now
