"""Whether the engine still computes, or a call of it does not come back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

STUCK_SECONDS = 7.0
"""No call counts as stuck before."""

TIMES_LONGEST = 10
"""How many times the longest that a batch has taken one may take, as where others use the cores."""


class EngineWatch:
    """Knows since when each batch is being computed. Every method may be called from any thread.

    `clock` gives seconds. A batch that takes long is told from one that hangs by what batches took before.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._started: dict[object, float] = {}
        self._longest = 0.0

    def has_taken(self, seconds: float) -> None:
        """Say what a batch of the largest size takes, from having tried it."""
        self._longest = max(self._longest, seconds)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """To be entered for each batch, by the thread that computes it."""
        call = object()
        started = self._started[call] = self._clock()
        try:
            yield
        finally:
            del self._started[call]
            self.has_taken(self._clock() - started)

    def stuck_seconds(self) -> float | None:
        """For how long a batch has been computed that hangs; None where none does."""
        oldest = min(list(self._started.values()), default=None)
        if oldest is None:
            return None
        seconds = self._clock() - oldest
        return seconds if seconds > max(STUCK_SECONDS, TIMES_LONGEST * self._longest) else None
