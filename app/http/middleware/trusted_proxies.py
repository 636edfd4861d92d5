"""What proxies say of a request: whose it is, by which scheme, and below which path the service lies."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address
from typing import Any

from starlette.types import ASGIApp, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware, _TrustedHosts

from app.http.client_address import parse_address

DOCUMENT = "/openapi.json"

PREFIX = re.compile(rb"(/[A-Za-z0-9._~-]+)+/?")


class TrustedProxies(ProxyHeadersMiddleware):
    """Pure ASGI middleware, outermost of all: takes X-Forwarded-For, -Proto and -Prefix of `trusted_hosts`.

    The service lies below `root_path`, or below the prefix that a trusted proxy names. A proxy may leave the
    prefix in the path or take it away; all that is further in sees the path without it, and the document of
    the API tells the prefix to its readers.
    """

    def __init__(self, app: ASGIApp, trusted_hosts: Sequence[str], root_path: str) -> None:
        super().__init__(app)  # type: ignore[arg-type]
        self.trusted_hosts = _InEitherForm(list(trusted_hosts))
        self._root_path = root_path.rstrip("/")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - uvicorn's own types
        if scope["type"] == "http":
            scope = self._below_prefix(self._with_plain_client(scope))
        await super().__call__(scope, receive, send)

    def _with_plain_client(self, scope: Scope) -> Scope:
        """`scope` with a client such as `::ffff:10.0.0.5` as `10.0.0.5`."""
        client = scope.get("client")
        if not client or (address := parse_address(client[0])) is None:
            return scope
        return {**scope, "client": (str(address), client[1])}

    def _below_prefix(self, scope: Scope) -> Scope:
        prefix = self._root_path
        client = scope.get("client")
        if client and client[0] in self.trusted_hosts:
            for name, value in scope["headers"]:
                if name == b"x-forwarded-prefix" and PREFIX.fullmatch(value):
                    prefix = value.decode().rstrip("/")
        return below_prefix(scope, prefix) if prefix else scope


class _InEitherForm(_TrustedHosts):
    """Trusts `10.0.0.5` and `::ffff:10.0.0.5` alike, where it is told to trust one of them.

    A proxy that listens on `::` writes the second into X-Forwarded-For where it means the first.
    """

    def __contains__(self, host: str | None) -> bool:
        address = parse_address(host or "")
        if not isinstance(address, IPv4Address):
            return super().__contains__(host)
        return super().__contains__(str(address)) or super().__contains__(f"::ffff:{address}")


def below_prefix(scope: Scope, prefix: str) -> Scope:
    """`scope` as it is to all that is further in, of a service that lies below `prefix`."""
    path: str = scope["path"]
    if path == prefix or path.startswith(f"{prefix}/"):
        path = path[len(prefix) :] or "/"
    # Only the document asks for it. Starlette's own way, a path that begins with the root path, would have
    # every middleware take it away again.
    return {**scope, "root_path": prefix if path == DOCUMENT else "", "path": path}
