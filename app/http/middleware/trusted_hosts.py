"""By which names the service may be asked, where they are listed."""

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import ApiError
from app.http.error_handlers import error_response

HEALTH = ("/health/", "/v2/health/")
"""Answered under any name: whoever watches over a service often asks by an address that no list can know."""

_PORT = re.compile(rb":[0-9]*$")


class TrustedHosts:
    """Pure ASGI middleware: answers 400 to a request whose Host header is none of `hosts`.

    Each is a name or address without a port, or `*.` and a name, which stands for all below that name. It
    keeps the page of another site, whose name has been made to lead here, from reading the answers.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        listed = [host.lower().encode() for host in hosts]
        self._names = frozenset(host for host in listed if not host.startswith(b"*."))
        self._endings = tuple(host[1:] for host in listed if host.startswith(b"*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(HEALTH) or self._is_known(scope):
            await self.app(scope, receive, send)
            return
        message = "the Host header is not a name that this service goes by"
        error = ApiError(400, "unknown_host", message, "Host")
        await error_response(error, Request(scope, receive))(scope, receive, send)

    def _is_known(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"host"]
        if len(given) != 1:
            return False
        host = _PORT.sub(b"", given[0].lower())
        return host in self._names or host.endswith(self._endings)
