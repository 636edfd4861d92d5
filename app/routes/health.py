"""GET /health/live and /health/ready, for whoever runs the service."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from app.errors import documented
from app.service import ReadyService

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
async def ready(service: ReadyService) -> Ready:  # noqa: ARG001
    """Status 200 once the model is loaded, checked and warm, and 503 before that and while stopping."""
    return Ready()
