"""Query parameters that are an error, and are named: any where a route has none, and one given twice."""

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError

from app.errors import invalid_parameter


async def _refuse_query(request: Request) -> None:
    for name in request.query_params:
        raise RequestValidationError([{"type": "extra_forbidden", "loc": ("query", name), "msg": ""}])


NO_QUERY = [Depends(_refuse_query)]
"""The dependencies of a route without query parameters."""


async def refuse_repeated(request: Request) -> None:
    """Raise `ApiError` 422 for the first parameter of the query that has several values: which is meant?"""
    seen = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            raise invalid_parameter(name, "is given more than once")
        seen.add(name)


SINGLE_QUERY = [Depends(refuse_repeated)]
"""The dependencies of a route with query parameters."""
