"""What routes ask FastAPI for."""

from typing import Annotated

from fastapi import Depends, Request

from app.errors import ApiError
from app.inference.context import Service


# Asynchronous though it waits for nothing: FastAPI would run any other function on a thread.
async def get_service(request: Request) -> Service:
    """The running service; raises `ApiError` 503 before it is warm and once it is being stopped."""
    service: Service | None = request.app.state.service
    if service is None:
        raise ApiError(503, "not_ready", "the model is not loaded", headers={"Retry-After": "1"})
    return service


ReadyService = Annotated[Service, Depends(get_service)]
"""The type of a route's parameter that receives the running service."""
