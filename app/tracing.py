"""Traces by OpenTelemetry: FastAPI's span of every request, and within it one for each stage.

Off unless TRACES says otherwise; then the packages of the extra `tracing` have to be there. All else is told
by the usual variables of OpenTelemetry, such as OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_TRACES_SAMPLER:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from collections.abc import Mapping
from time import time_ns
from typing import Any

from opentelemetry import trace

from app.settings import Settings
from app.startup import StartError

SERVICE_NAME = "resnet-serve"
"""What the service is called in traces, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES does."""


class Tracing:
    """Spans of one app. `exporter` takes them; by default it is OTLP over HTTP.

    Raises `StartError` if the packages that it needs are not installed.
    """

    def __init__(self, exporter: Any = None) -> None:  # noqa: ANN401 - its type may not be installed
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import OTELResourceDetector, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as error:
            message = f"TRACES=otlp needs the extra `tracing`: pip install '.[tracing]' ({error})"
            raise StartError(message) from error
        named = Resource({"service.name": SERVICE_NAME}).merge(OTELResourceDetector().detect())
        self.provider = TracerProvider(resource=named)
        self.provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self.provider.get_tracer("resnet-serve")

    def stages(self, seconds: Mapping[str, float], attributes: Mapping[str, str | int]) -> None:
        """Give the current request's span `attributes`, and a child for each stage.

        The stages have just ended, and followed each other in their order.
        """
        request = trace.get_current_span()
        if not request.is_recording():
            return
        request.set_attributes(attributes)
        at = time_ns() - round(sum(seconds.values()) * 1e9)
        for stage, duration in seconds.items():
            span = self._tracer.start_span(stage, start_time=at)
            at += round(duration * 1e9)
            span.end(at)

    def close(self) -> None:
        """Export what is left; waits for that, so not for the event loop."""
        self.provider.shutdown()


def create_tracing(settings: Settings) -> Tracing | None:
    """The tracing that TRACES asks for. Raises `StartError`."""
    return Tracing() if settings.traces == "otlp" else None


def name_span(method: str, route: str) -> None:
    """Name the current request's span as FastAPI does, for a route that is taken past it."""
    span = trace.get_current_span()
    if span.is_recording():
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)


def note_refusal(code: str) -> None:
    """Have the current request's span say why it was refused."""
    trace.get_current_span().set_attribute("error.code", code)


def trace_id() -> str | None:
    """Of the request that is being handled, as 32 hexadecimal digits, if it is traced."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
