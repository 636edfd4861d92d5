"""A client that leaves: what is done for it alone is given up."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from app.errors import client_left

WATCH_AFTER_SECONDS = 0.1
"""Most answers are ready before this; watching each of those would cost a task per request."""


@contextmanager
def given_up_on_disconnect(request: Request) -> Iterator[None]:
    """Cancel what runs inside once the client has left. Its body must have been read before.

    Raises `ApiError` 499 then, which no one receives, but which is counted.
    """
    work = asyncio.current_task()
    assert work is not None, "a request is handled by a task"
    watch: asyncio.Task[None] | None = None

    async def wait_for_disconnect() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        work.cancel()

    def start_watching() -> None:
        nonlocal watch
        watch = asyncio.create_task(wait_for_disconnect())

    timer = asyncio.get_running_loop().call_later(WATCH_AFTER_SECONDS, start_watching)
    try:
        yield
    except asyncio.CancelledError:
        left = watch is not None and watch.done() and not watch.cancelled() and watch.exception() is None
        # Cancelled by someone else as well, the server for one: then it is not ours to stop.
        if left and work.uncancel() == 0:
            raise client_left() from None
        raise
    finally:
        timer.cancel()
        if watch is not None:
            watch.cancel()
