"""Which methods a path has, for a request by another one."""

from collections.abc import Iterable

from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Scope

DECLARED = ("GET", "POST", "DELETE")
"""All that routes of the service are declared with."""


def allowed_methods(routes: Iterable[BaseRoute], path: str) -> list[str]:
    """What `Allow` is to say of `path`: the methods of all its routes; none in a mounted folder."""
    declared = [route for route in routes if not isinstance(route, Mount)]
    scope: Scope = {"type": "http", "path": path, "root_path": "", "headers": []}
    found = [
        method
        for method in DECLARED
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in declared)
    ]
    return ["GET", "HEAD", *found[1:]] if "GET" in found else found
