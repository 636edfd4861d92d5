"""How often one client may ask, where that is limited."""

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from time import monotonic

from limits import parse_many
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ApiError
from app.http.client_address import parse_address
from app.http.error_handlers import error_response
from app.http.middleware.api_keys import KEY_DIGEST, is_open

MAX_WINDOWS = 50_000
"""A client has one for each of the limits; so many take some 30 MB."""


class RateLimit:
    """Pure ASGI middleware: answers 429 to a client that has sent as many requests as `limits` let it.

    `limits` are such as `10/second, 1000/hour`. A client is its key, where `ApiKeys` has found it to be one,
    or else its address, of IPv6 the first 64 bits. What needs no key is not limited, and neither are metrics.
    """

    def __init__(self, app: ASGIApp, limits: str) -> None:
        self.app = app
        self._limits = limits
        self._quota = Quota(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limited = scope["type"] == "http" and is_limited(scope["path"])
        seconds = self._quota.use(client_of(scope)) if limited else 0
        if seconds == 0:
            await self.app(scope, receive, send)
            return
        message = f"a client may send {self._limits} requests; try again in {seconds} s"
        error = ApiError(429, "rate_limited", message, headers={"Retry-After": str(seconds)})
        await error_response(error, Request(scope, receive))(scope, receive, send)


def is_limited(path: str) -> bool:
    """Whether requests for `path` are counted."""
    return not is_open(path) and path != "/metrics"


def client_of(scope: Scope) -> str:
    """Who sent a request: the digest of its key, or its address."""
    digest: bytes | None = scope.get(KEY_DIGEST)
    if digest is not None:
        return digest.hex()
    address = parse_address(scope["client"][0] if scope["client"] else "")
    if isinstance(address, IPv6Address):
        # One customer of a provider has all the addresses that begin so.
        return f"{int(address) >> 64:x}::/64"
    return "unknown" if address is None else str(address)


class Quota:
    """Counts the requests of each client. `clock` gives seconds."""

    def __init__(self, limits: str, clock: Callable[[], float] = monotonic) -> None:
        self._limits = parse_many(limits)
        self._clock = clock
        self._limiter = FixedWindowRateLimiter(Windows(clock))

    def use(self, client: str) -> int:
        """Count one request and return 0, or if there may be none now, the whole seconds until there may."""
        refusing = [limit for limit in self._limits if not self._limiter.test(limit, client)]
        if refusing:
            end = max(self._limiter.get_window_stats(limit, client).reset_time for limit in refusing)
            return max(math.ceil(end - self._clock()), 1)
        for limit in self._limits:
            self._limiter.hit(limit, client)
        return 0


@dataclass(slots=True)
class _Window:
    end: float
    count: int = 0


class Windows(Storage):
    """The counts behind the limits, of at most `most` windows of time: those that began last.

    The storage that `limits` has for memory holds any number of clients, and has a thread look through all of
    them up to a hundred times a second.
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float], most: int = MAX_WINDOWS) -> None:
        super().__init__()
        self._clock = clock
        self._most = most
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return ()

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        window = self._open(key)
        if window is None:
            window = self._windows[key] = _Window(self._clock() + expiry)
            self._windows.move_to_end(key)
            if len(self._windows) > self._most:
                self._windows.popitem(last=False)
        window.count += amount
        return window.count

    def get(self, key: str) -> int:
        window = self._open(key)
        return 0 if window is None else window.count

    def get_expiry(self, key: str) -> float:
        window = self._open(key)
        return self._clock() if window is None else window.end

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        count = len(self._windows)
        self._windows.clear()
        return count

    def clear(self, key: str) -> None:
        self._windows.pop(key, None)

    def _open(self, key: str) -> _Window | None:
        window = self._windows.get(key)
        return window if window is not None and window.end > self._clock() else None
