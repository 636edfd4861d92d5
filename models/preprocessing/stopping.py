"""Work that nobody waits for any more, and how it comes to know."""

import io
import threading


class StoppedError(Exception):
    """Nobody waits for the result."""


class Stop:
    """A flag between a thread that works and those that wait for it."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        """Have the work end at its next `check`."""
        self._asked.set()

    def check(self) -> None:
        """Raise `StoppedError` if the work is to end."""
        if self._asked.is_set():
            raise StoppedError("nobody waits for the result")


class StoppableFile(io.BytesIO):
    """A file in memory; what is decoded from it ends, by `StoppedError`, at the next `read`.

    Pillow reads block by block between calls of the C decoder, and has no other way to be stopped.
    """

    def __init__(self, content: bytes, stop: Stop) -> None:
        super().__init__(content)
        self._stop = stop

    def read(self, size: int | None = -1, /) -> bytes:
        self._stop.check()
        return super().read(size)
