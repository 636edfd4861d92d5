"""When those who are turned away for load may come back: not all at once."""

import math
from collections.abc import Callable
from time import monotonic

LATEST_SECONDS = 60
"""Nobody is sent away for longer: a rate so low is more likely the end of a pause than what is to come."""


class RetryAfterSchedule:
    """Gives out the seconds to come, each to as many as can be served in it. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._now = 0
        self._given: dict[int, int] = {}
        """How many were told to come, by the second of the clock."""

    def reserve(self, earliest: float, per_second: float) -> int:
        """Whole seconds from now, 1..60 and at least `earliest`, where `per_second` are served in each.

        Whoever finds no room within the minute is told the end of it.
        """
        now = int(self._clock())
        if now != self._now:
            self._now = now
            self._given = {second: count for second, count in self._given.items() if second > now}
        room = max(1, int(per_second))
        seconds = math.ceil(min(max(1, earliest), LATEST_SECONDS))  # in this order, as `inf` has no ceiling
        while seconds < LATEST_SECONDS and self._given.get(now + seconds, 0) >= room:
            seconds += 1
        self._given[now + seconds] = self._given.get(now + seconds, 0) + 1
        return seconds
