"""GET /metrics, for Prometheus."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from app.observability.metrics import ServiceMetrics

PATH = "/metrics"

router = APIRouter(tags=["metrics"])


@router.get(
    PATH,
    summary="Metrics for Prometheus",
    response_class=PlainTextResponse,
    response_description="Text in the exposition format of Prometheus.",
)
def metrics(request: Request) -> Response:
    """All metrics of the service, added up over its worker processes."""
    # A plain function, which runs on a thread: reading the files of many workers takes milliseconds.
    measured: ServiceMetrics = request.app.state.metrics
    return Response(measured.exposition(), media_type=CONTENT_TYPE_LATEST)
