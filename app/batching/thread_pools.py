"""Where work off the event loop runs, and how much of it may wait."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class OverloadedError(Exception):
    """As much work as may wait is waiting already."""


class ThreadPools:
    """Threads for decoding, for inference and for loading, behind a bound on the requests that use them.

    Threads start when they are first needed, and work goes to an idle one before another is started: an
    engine that computes one batch at a time always runs on the same thread.
    """

    def __init__(self, decode_threads: int, inference_threads: int, max_waiting: int) -> None:
        self._decoders = ThreadPoolExecutor(decode_threads, thread_name_prefix="decode")
        self._inference = ThreadPoolExecutor(inference_threads, thread_name_prefix="inference")
        self._loading = ThreadPoolExecutor(1, thread_name_prefix="loading")
        self._max_waiting = max_waiting
        self.admitted = 0

    @property
    def is_full(self) -> bool:
        return self.admitted >= self._max_waiting

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Count a request as being worked on. Raises `OverloadedError` at once if there are too many."""
        if self.is_full:
            raise OverloadedError(f"{self.admitted} requests are already being worked on; try again later")
        self.admitted += 1
        try:
            yield
        finally:
            self.admitted -= 1

    def decode(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run `work`, which decodes or draws images, on one of the decoding threads."""
        return asyncio.get_running_loop().run_in_executor(self._decoders, work)

    def infer(self, work: Callable[..., T], *given: object) -> asyncio.Future[T]:
        """Run `work`, which computes a batch, with what is `given` to it, on one of the inference threads."""
        return asyncio.get_running_loop().run_in_executor(self._inference, work, *given)

    def load(self, work: Callable[[], T]) -> asyncio.Future[T]:
        """Run `work`, which loads a model, on a thread of its own, while others serve."""
        return asyncio.get_running_loop().run_in_executor(self._loading, work)

    def close(self) -> None:
        """Finish what runs, drop what waits, and end the threads."""
        self._decoders.shutdown(cancel_futures=True)
        self._inference.shutdown(cancel_futures=True)
        self._loading.shutdown(cancel_futures=True)
