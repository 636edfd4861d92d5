"""By which names the service may be asked, where they are listed."""

from collections.abc import Sequence

from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ApiError
from app.http.error_handlers import error_response

HEALTH = ("/health/", "/v2/health/")
"""Answered under any name: whoever watches over a service often asks by an address that no list can know."""

_IS_KNOWN = "app.host_is_known"


class TrustedHosts:
    """Pure ASGI middleware: answers 400 to a request whose Host header is none of `hosts`.

    Each is a name or address without a port, or `*.` and a name, which stands for all below that name. It
    keeps the page of another site, whose name has been made to lead here, from reading the answers.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self._judge = TrustedHostMiddleware(_note, allowed_hosts=hosts, www_redirect=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] != "http" or scope["path"].startswith(HEALTH)
        if is_open or await self._is_known(scope, receive):
            await self.app(scope, receive, send)
            return
        message = "the Host header is not a name that this service goes by"
        error = ApiError(400, "unknown_host", message, "Host")
        await error_response(error, Request(scope, receive))(scope, receive, send)

    async def _is_known(self, scope: Scope, receive: Receive) -> bool:
        if sum(name == b"host" for name, _ in scope["headers"]) != 1:
            return False  # RFC 9112, section 3.2; Starlette would look at the first one alone
        judged = {**scope, _IS_KNOWN: False}
        await self._judge(judged, receive, _drop)
        return bool(judged[_IS_KNOWN])


async def _note(scope: Scope, _receive: Receive, _send: Send) -> None:
    scope[_IS_KNOWN] = True


async def _drop(_message: Message) -> None:
    """Starlette's own answer, which is plain text."""
