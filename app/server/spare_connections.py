"""What a service that has all the connections it may have still answers, on a few more."""

from app.http.middleware.trusted_hosts import HEALTH

SPARE_CONNECTIONS = 32
"""How many beyond the bound are made for health checks: a service that is full is not dead."""

SPARE_SECONDS = 5.0
"""How long each of those has for its request, and then for the one answer: as long as a probe waits."""

MOMENT_SECONDS = 1.0
"""How much longer, counted only then: after a stall of the event loop, what has come in is yet to be read."""


def health_paths(root_path: str) -> tuple[bytes, ...]:
    """How the target of a health check begins, where the service lies below `root_path`, or "" for none.

    A proxy may leave that in the path or take it away. A prefix that a proxy names for one request is not
    known here: whether to believe the proxy is decided once the request is taken.
    """
    return tuple(f"{prefix}{path}".encode() for prefix in ("", root_path) for path in HEALTH)
