"""Routes without query parameters: one that is sent all the same is an error, and is named."""

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError


async def _refuse_query(request: Request) -> None:
    for name in request.query_params:
        raise RequestValidationError([{"type": "extra_forbidden", "loc": ("query", name), "msg": ""}])


NO_QUERY = [Depends(_refuse_query)]
"""The dependencies of such a route."""
