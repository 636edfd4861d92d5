"""An asyncio event loop that never waits: its clock jumps to the next timer instead.

A schedule of hours takes milliseconds and is the same every time. What would hang on a real clock, as nothing
is left that could wake the loop, or would spin for ever, fails.
"""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")

MAX_ITERATIONS = 100_000
"""Of the loop, in one run: far more than any test needs."""


class HangError(AssertionError):
    """The run would never have ended."""


class _Clock(selectors.SelectSelector):
    """Where a loop would wait for sockets until the next timer is due, this lets that time have passed."""

    def __init__(self, before_jump: Callable[[], None]) -> None:
        super().__init__()
        self.now = 0.0
        self._iterations = 0
        self._before_jump = before_jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._iterations += 1
        if self._iterations > MAX_ITERATIONS:
            self._iterations = 0  # the loop has to run a little further, to be closed in order
            raise HangError(f"still running after {MAX_ITERATIONS} iterations, at {self.now} s")
        if timeout != 0:
            self._before_jump()
            if timeout is None:
                raise HangError(f"waiting for ever since {self.now} s")
            self.now += timeout
        return []


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, before_jump: Callable[[], None]) -> None:
        self.clock = _Clock(before_jump)
        super().__init__(self.clock)
        self.unhandled: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self.unhandled.append(context))

    def time(self) -> float:
        return self.clock.now


def block(seconds: float) -> None:
    """Let time pass as code does that keeps the loop busy."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, _VirtualLoop)
    loop.clock.now += seconds


def run(main: Coroutine[Any, Any, T], before_jump: Callable[[], None] = lambda: None) -> T:
    """The result of `main`, run from time 0 on. Times that are multiples of a power of two are exact.

    `before_jump` is called whenever all that is to happen at one instant has happened; what it raises ends
    the run. Raises `HangError` where `main` would never end, and `AssertionError` where an exception reached
    nobody: one raised in a callback, or one that a task or future kept to itself.
    """
    loop = _VirtualLoop(before_jump)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(main)
    assert not loop.unhandled, loop.unhandled
    return result


def on_virtual_clock(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Have an async test run on a loop of its own, as by `run`."""

    @functools.wraps(test)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        return run(test(*args, **kwargs))

    return wrapper
