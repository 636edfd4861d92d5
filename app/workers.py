"""Where work off the event loop runs, and how much of it may wait."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class OverloadedError(Exception):
    """As much work as may wait is waiting already."""


class Workers:
    """Threads for decoding and one for inference, behind a bound on the requests that use them.

    A single inference thread runs one batch at a time: two at once would share the same cores and both be
    late. It is always the same thread, so that torch's own threads are started once.
    """

    def __init__(self, decode_threads: int, max_waiting: int) -> None:
        self._decoders = ThreadPoolExecutor(decode_threads, thread_name_prefix="decode")
        self._inference = ThreadPoolExecutor(1, thread_name_prefix="inference")
        self._max_waiting = max_waiting
        self.admitted = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Count a request as being worked on. Raises `OverloadedError` at once if there are too many."""
        if self.admitted >= self._max_waiting:
            raise OverloadedError(f"{self.admitted} requests are already being worked on; try again later")
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1

    async def decode(self, work: Callable[[], T]) -> T:
        """Run `work`, which decodes or draws images, on one of the decoding threads."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work)

    async def infer(self, work: Callable[[], T]) -> T:
        """Run `work` on the inference thread, after all that came before."""
        return await asyncio.get_running_loop().run_in_executor(self._inference, work)

    def close(self) -> None:
        """Finish what runs, drop what waits, and end the threads."""
        self._decoders.shutdown(cancel_futures=True)
        self._inference.shutdown(cancel_futures=True)
