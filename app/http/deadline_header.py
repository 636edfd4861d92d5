"""By when a request is to be answered: its own word for it, up to the service's limit."""

import asyncio
import math

from fastapi import Request

from app.errors import invalid_parameter
from app.inference.deadline import Deadline

HEADER = "X-Request-Timeout"


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
