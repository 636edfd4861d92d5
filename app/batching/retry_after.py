"""When those who are rejected for load may come back, and that there is a place for them when they do.

Without places kept for them, whoever comes back competes with all who come for the first time, and at twice
the capacity at most every second one is let in. So a request that comes back is recognised, by its content,
and while any are expected, others may fill only half of the places.

Who is rejected only because places are kept is recognised too, but no place is kept for it: otherwise each
rejection would cause the next, for as long as new requests come, on a service that has nothing to do.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

from app.batching.thread_pools import OverloadedError

LATEST_SECONDS = 300
"""Nobody is sent away for longer, nor are places kept for longer."""

LATEST_BACKLOG_SECONDS = 60
"""What waits now is not expected to take longer, nor is a request: an engine that has been slow or has hung
for a while would otherwise send clients away for as long as it takes the booked time to pass."""

BOOKED_SHARE = 0.9
"""Of the recent rate: the rest is for those who come back late, and for what is not as it was."""

EARLY_SECONDS, LATE_SECONDS = 1.0, 10.0
"""How much before or after its time a request may come back."""

MAX_TICKETS = 100_000


class PlacesKeptError(OverloadedError):
    """There are free places, and they are kept for others."""

    def __init__(self) -> None:
        super().__init__("the places that are free are kept for requests that were told to come back")


class RetryAfterSchedule:
    """Gives out the time to come to rejected requests, one after the other. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._booked_until = -math.inf
        self.tickets: OrderedDict[bytes, float] = OrderedDict()
        """When each rejected request is to come back, by its key, in the order of these times."""
        self._kept: OrderedDict[bytes, None] = OrderedDict()
        """Those of them for which places are kept, in the same order."""

    def reserve(
        self, key: bytes, images: int, earliest: float, per_second: float, *, keeps_place: bool = True
    ) -> int:
        """Whole seconds from now, 1..300, for a request of so many `images`, where `per_second` are computed.

        `earliest` is in how many seconds what waits now is done. The `key` is what the request is recognised
        by when it comes back; `keeps_place` says whether others leave it a place until then. Nothing is kept
        for a request that would have to come later than anybody may be told to.
        """
        now = self._clock()
        self._expire(now)
        at = self._next_time(now, earliest)
        seconds = _seconds_until(at, now)
        if at - now < LATEST_SECONDS and len(self.tickets) < MAX_TICKETS:
            # By a rate at which what waits now is done in the time that is expected of it.
            rate = per_second * max(1.0, earliest / LATEST_BACKLOG_SECONDS)
            self._booked_until = at + min(images / (BOOKED_SHARE * rate), LATEST_BACKLOG_SECONDS)
            self.tickets[key] = now + seconds
            self.tickets.move_to_end(key)
            self._kept.pop(key, None)
            if keeps_place:
                self._kept[key] = None
        return seconds

    def ask(self, earliest: float) -> int:
        """What `reserve` would say, for a request that could not be recognised: nothing is kept for it."""
        now = self._clock()
        return _seconds_until(self._next_time(now, earliest), now)

    def redeem(self, key: bytes) -> bool:
        """Whether this request was told to come now; it is so only once."""
        now = self._clock()
        self._expire(now)
        due = self.tickets.get(key)
        if due is None or now < due - EARLY_SECONDS:
            return False
        self._forget(key)
        return True

    def is_expecting(self) -> bool:
        """Whether there is anybody for whom a place is kept, and who may still come."""
        self._expire(self._clock())
        return bool(self._kept)

    def _next_time(self, now: float, earliest: float) -> float:
        return max(now + min(earliest, LATEST_BACKLOG_SECONDS), self._booked_until)

    def _expire(self, now: float) -> None:
        while self.tickets:
            key, due = next(iter(self.tickets.items()))
            if due + LATE_SECONDS >= now:
                return
            self._forget(key)

    def _forget(self, key: bytes) -> None:
        del self.tickets[key]
        self._kept.pop(key, None)


def _seconds_until(at: float, now: float) -> int:
    return max(1, math.ceil(at - now)) if at - now < LATEST_SECONDS else LATEST_SECONDS
