"""By when a request is to be answered: its own word for it, up to the service's limit."""

import asyncio
import math
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

from fastapi import Request

from app.errors import ApiError, invalid_parameter

T = TypeVar("T")

HEADER = "X-Request-Timeout"


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


def deadline_of(request: Request, limit_seconds: float) -> Deadline:
    """The seconds that the header X-Request-Timeout asks for, at most and by default `limit_seconds`.

    Raises `ApiError` 422 for a header that is not a number above 0.
    """
    text = request.headers.get(HEADER)
    seconds = limit_seconds if text is None else min(_seconds(text), limit_seconds)
    return Deadline(asyncio.get_running_loop().time() + seconds, seconds)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise invalid_parameter(HEADER, f"must be a number of seconds above 0, got {text!r}")
    return seconds
