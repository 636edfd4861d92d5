"""The one process of WORKERS=1 ends itself when it is stuck, so that whatever runs it starts it again.

Several processes have a parent that watches them, also where one is stopped or holds Python's lock for good.
"""

import logging
import os
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

TICK_SECONDS = 1.0
SILENT_TICKS = 8
"""Ticks and not seconds, as a process that was stopped as a whole, and goes on, is not stuck."""

logger = logging.getLogger(__name__)


def end_by_force(why: str) -> None:
    """End this process, whatever its threads do."""
    logger.critical("%s; this process is ended by force", why)
    os._exit(1)


class SelfWatch:
    """While entered, calls `end` when the start takes too long, or the engine or the event loop is stuck.

    `end` is given the reason. The start ends with the first pulse, and may take `start_seconds`.
    """

    def __init__(self, start_seconds: float, end: Callable[[str], None] = end_by_force) -> None:
        self._end = end
        late = f"not ready after RESNET_SERVE_START_SECONDS={start_seconds:g}"
        self._start = threading.Timer(start_seconds, end, [late])
        self._start.daemon = True
        self._silent = 0
        self._thread: threading.Thread | None = None
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._start.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._start.cancel()
        self._over.set()

    def pulse(self, wrong: str | None) -> None:
        """To be called every second on the event loop, with what is wrong with the engine or None."""
        self._silent = 0
        if wrong is not None:
            self._end(wrong)
        if self._thread is None:
            self._start.cancel()
            self._thread = threading.Thread(target=self._watch, name="self-watch", daemon=True)
            self._thread.start()

    def tick(self) -> bool:
        """Count a second; returns whether there was one too many since the last pulse."""
        self._silent += 1
        return self._silent > SILENT_TICKS

    def _watch(self) -> None:
        while not self.tick():
            if self._over.wait(TICK_SECONDS):
                return
        self._end(f"the event loop has not run for {SILENT_TICKS * TICK_SECONDS:g} s")
