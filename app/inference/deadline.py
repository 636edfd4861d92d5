"""By when a request is to be answered, and work that ends then."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from app.errors import ApiError

T = TypeVar("T")


@dataclass(frozen=True)
class Deadline:
    """`at` is a time of the event loop's clock, `seconds` after the request came in."""

    at: float
    seconds: float

    def check(self, waited_for: str) -> None:
        """Raise `ApiError` 504, which says what was `waited_for`, if it has passed."""
        if asyncio.get_running_loop().time() >= self.at:
            raise self.passed(waited_for)

    def passed(self, waiting_for: str) -> ApiError:
        message = f"the deadline passed after {self.seconds:.3f} s, waiting for {waiting_for}"
        return ApiError(504, "deadline_exceeded", message)


async def done_by(deadline: Deadline, work: Awaitable[T], waiting_for: str) -> T:
    """The result of `work`. At the deadline it is cancelled; on a thread it may run on, for nobody.

    Raises `ApiError` 504 then, which says `waiting_for` what.
    """
    try:
        async with asyncio.timeout_at(deadline.at):
            return await work
    except TimeoutError as error:
        raise deadline.passed(waiting_for) from error
