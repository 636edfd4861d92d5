"""What a service that has all the connections it may have still answers, on a few more."""

from app.http.middleware.trusted_hosts import HEALTH
from app.routes.metrics import PATH as METRICS

SPARE_CONNECTIONS = 32
"""How many beyond the bound are made for whoever watches over the service: one that is full is not dead."""

SPARE_SECONDS = 5.0
"""How long each of those has for its request, and then for the one answer: as long as a probe waits."""

MOMENT_SECONDS = 1.0
"""How much longer, counted only then: after a stall of the event loop, what has come in is yet to be read."""


class Watching:
    """Which requests are from whoever watches over a service that lies below `root_path`, or "" for none.

    They are health checks, and the collection of metrics: how many connections are refused is to be known
    just when they are. A proxy may leave the root path in the path or take it away. A prefix that a proxy
    names for one request is not known here: whether to believe the proxy is decided later.
    """

    def __init__(self, root_path: str) -> None:
        prefixes = ("", root_path)
        self._health = tuple(f"{prefix}{path}".encode() for prefix in prefixes for path in HEALTH)
        self._metrics = tuple(f"{prefix}{METRICS}".encode() for prefix in prefixes)

    def sends(self, method: bytes, target: bytes) -> bool:
        """Whether a request with this method, and its target as it is sent, is one of theirs."""
        if target.startswith(self._health):
            return True
        return method == b"GET" and target.partition(b"?")[0] in self._metrics
