"""Who may ask: keys that requests carry, where the service was given any."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ApiError
from app.http.error_handlers import error_response

OPEN_PATHS = ("/", "/docs", "/openapi.json", "/v2/health/live", "/v2/health/ready")
OPEN_FOLDERS = ("/static/", "/health/")
"""What needs no key: the page and the documentation, which show nothing of anybody's, and health."""

KEY_DIGEST = "api_key_digest"
"""Where in a request's scope the digest of its key stands, once it is known to be one: not the key itself."""


class ApiKeys:
    """Pure ASGI middleware: answers 401 to a request that carries none of `keys` and is not for an open path.

    A key comes as `Authorization: Bearer KEY` or as `X-API-Key: KEY`. All keys are compared, each in a time
    that does not depend on where it differs. Raises `ValueError` for no keys, by which nobody could be meant.
    """

    def __init__(self, app: ASGIApp, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("there must be a key")
        self.app = app
        self._digests = [_digest(key.encode()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        for digest in map(_digest, _given(scope)):
            if self._is_known(digest):
                scope[KEY_DIGEST] = digest
                await self.app(scope, receive, send)
                return
        error = ApiError(
            401,
            "unauthorized",
            "send a key as `Authorization: Bearer KEY` or as `X-API-Key: KEY`",
            "Authorization",
            {"WWW-Authenticate": "Bearer"},
        )
        await error_response(error, Request(scope, receive))(scope, receive, send)

    def _is_known(self, digest: bytes) -> bool:
        # All of them, so that the time does not tell which it is.
        return sum(hmac.compare_digest(digest, known) for known in self._digests) > 0


def is_open(path: str) -> bool:
    """Whether `path` needs no key."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDERS)


def _given(scope: Scope) -> Iterator[bytes]:
    """All that may be a key: a gateway may have added an `Authorization` of its own."""
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            yield bytes(value)
        elif name == b"authorization" and value[:7].lower() == b"bearer ":
            yield bytes(value[7:].strip())


def _digest(key: bytes) -> bytes:
    """Of equal length for keys of any length."""
    return hashlib.sha256(key).digest()
