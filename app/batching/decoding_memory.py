"""How much memory decoded images take together, over all threads and requests, and how much bodies may."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from models.hardware import usable_memory
from models.preprocessing.stopping import Stop

SERVICE_BYTES, SLIM_BYTES = 896 << 20, 320 << 20
"""What one process takes with the bundled model, before any image is decoded: with PyTorch, which any request
for an explanation may bring, and where that is not installed."""

LEAST_BYTES, MOST_BYTES = 64 << 20, 1 << 30
LEAST_BODIES_BYTES, MOST_BODIES_BYTES = 32 << 20, 512 << 20

_SECONDS_BETWEEN_CHECKS = 0.1


class DecodingMemory:
    """`size` bytes, of which each image holds its part while it is decoded; those that do not fit wait."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()

    @contextmanager
    def hold(self, needed: int, stop: Stop) -> Iterator[None]:
        """Hold `needed` bytes, at most `size`, in the order of asking. Raises `StoppedError`."""
        me = object()
        with self._changed:
            self._waiting.append(me)
            try:
                while self._waiting[0] is not me or self.held + needed > self.size:
                    stop.check()
                    self._changed.wait(_SECONDS_BETWEEN_CHECKS)
                self.held += needed
            finally:
                self._waiting.remove(me)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self.held -= needed
                self._changed.notify_all()


def default_decoding_bytes(workers: int) -> int:
    """Half of what the memory limit leaves each of `workers` processes beside the service itself."""
    return int(min(max(_left(workers) / 2, LEAST_BYTES), MOST_BYTES))


def default_bodies_bytes(workers: int) -> int:
    """A quarter of the same, for the bodies of all requests: so both, and the rest of a request, fit."""
    return int(min(max(_left(workers) / 4, LEAST_BODIES_BYTES), MOST_BODIES_BYTES))


def _left(workers: int) -> float:
    own = SLIM_BYTES if find_spec("torch") is None else SERVICE_BYTES
    return usable_memory() / workers - own
