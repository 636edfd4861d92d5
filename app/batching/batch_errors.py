"""Why a submission to a batcher ends without its results."""

from typing import Literal


class QueueFullError(Exception):
    """A submission of `count` items does not fit: `depth` items wait, and at most `limit` may."""

    def __init__(self, count: int, depth: int, limit: int) -> None:
        if count > limit:
            message = f"{count} items at once never fit, the queue holds {limit}: submit fewer at a time"
        else:
            message = f"{depth} items wait already, {count} more would exceed the limit of {limit}"
        super().__init__(message)
        self.count = count
        self.depth = depth
        self.limit = limit


class DeadlineError(Exception):
    """A deadline passed `seconds` after the submission; `where` says what its items were doing then."""

    def __init__(self, where: Literal["waiting", "running"], seconds: float) -> None:
        what = "waiting for" if where == "waiting" else "running in"
        super().__init__(f"the deadline passed {what} a batch, {seconds:.3f} s after this was asked for")
        self.where = where
        self.seconds = seconds


class ClosedError(RuntimeError):
    """The batcher was closed and takes no more work."""
