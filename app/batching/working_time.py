"""A clock that stands still while there is nothing to do."""

from collections.abc import Callable
from threading import Lock
from time import monotonic


class WorkingTime:
    """Seconds in which there was work, told by calling it. Every method may be called from any thread.

    How many images a second are computed is measured by it: otherwise a pause would look like a service that
    has become slow, and those who are rejected in the first rush after it would be sent away for minutes.
    `clock` gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._pieces = 0
        self._worked = 0.0
        self._since = 0.0

    def __call__(self) -> float:
        with self._lock:
            return self._worked + (self._clock() - self._since if self._pieces else 0.0)

    def begin(self) -> None:
        """Count a piece of work that is there from now on; several may be at the same time."""
        with self._lock:
            if not self._pieces:
                self._since = self._clock()
            self._pieces += 1

    def end(self) -> None:
        """Say that a piece of work is done."""
        with self._lock:
            self._pieces -= 1
            if not self._pieces:
                self._worked += self._clock() - self._since
