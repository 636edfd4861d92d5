"""SIGTERM and SIGINT as something to wait for."""

import signal
import socket
from types import TracebackType
from typing import Self

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """While entered, the two signals interrupt nothing; they make this readable for `select` and its kind.

    For the main thread only, as all handling of signals is.
    """

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        for end in (self._reader, self._writer):
            end.settimeout(0)
        # A handler of Python's own is needed for the number of the signal to be written.
        self._handlers = {number: signal.signal(number, lambda *_: None) for number in STOP_SIGNALS}
        self._wakeup = signal.set_wakeup_fd(self._writer.fileno())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """For `select`: readable after a signal, until `take` is called."""
        return self._reader.fileno()

    def take(self) -> bool:
        """Has either signal arrived since the last call?"""
        try:
            received = self._reader.recv(4096)
        except BlockingIOError:
            return False
        return any(number in received for number in STOP_SIGNALS)
