"""What is known of a request wherever something is done for it."""

from contextvars import ContextVar

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being handled, for the log."""
