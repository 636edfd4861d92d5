"""GET /health/live and /health/ready, for whoever runs the service."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from app.errors import ApiError
from app.http.error_handlers import documented
from app.http.request_scope import ReadyContext

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
async def ready(request: Request, _: ReadyContext) -> Ready:
    """Status 200 once the model is loaded, checked and warm; 503 before, and while stopping.

    It does not depend on the load: an overloaded service stays ready and answers 429, and one with as many
    connections as it may have still answers health checks.
    """
    if request.app.state.is_leaving:
        raise ApiError(503, "stopping", "the service is being stopped")
    return Ready()
