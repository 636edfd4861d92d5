"""Query parameters that are an error, and are named: any where a route has none, and one given twice."""

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError

from app.http.request_scope import reject_repeated


async def _reject_query(request: Request) -> None:
    for name in request.query_params:
        raise RequestValidationError([{"type": "extra_forbidden", "loc": ("query", name), "msg": ""}])


async def _reject_repeated(request: Request) -> None:
    reject_repeated(request)


NO_QUERY = [Depends(_reject_query)]
"""The dependencies of a route without query parameters."""

SINGLE_QUERY = [Depends(_reject_repeated)]
"""The dependencies of a route with query parameters that does not compute, and so enters no request scope."""
