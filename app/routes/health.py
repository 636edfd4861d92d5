"""GET /health/live and /health/ready, for whoever runs the service."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from app.errors import ApiError
from app.http.dependencies import ReadyService
from app.http.error_handlers import documented

router = APIRouter(prefix="/health", tags=["health"])


class Live(BaseModel):
    status: Literal["live"] = "live"


class Ready(BaseModel):
    status: Literal["ready"] = "ready"


@router.get("/live", summary="Is the process alive?")
async def live() -> Live:
    """Status 200 as long as the process answers at all."""
    return Live()


@router.get("/ready", summary="Can it take requests?", responses=documented(503))
async def ready(service: ReadyService) -> Ready:
    """Status 200 once the model is loaded, checked and warm; 503 before, while stopping, and when full."""
    if service.is_full:
        raise ApiError(503, "not_ready", "as many requests as may be are being worked on")
    return Ready()
