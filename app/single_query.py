"""Routes with query parameters: one that is given more than once is an error, and is named."""

from fastapi import Depends, Request

from app.errors import invalid_parameter


async def refuse_repeated(request: Request) -> None:
    """Raise `ApiError` 422 for the first parameter of the query that has several values: which is meant?"""
    seen = set()
    for name, _ in request.query_params.multi_items():
        if name in seen:
            raise invalid_parameter(name, "is given more than once")
        seen.add(name)


SINGLE_QUERY = [Depends(refuse_repeated)]
"""The dependencies of such a route."""
