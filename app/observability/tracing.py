"""Traces by OpenTelemetry: FastAPI's span of every request, and within it one for each stage.

Off unless `traces` says otherwise; then the packages of the extra `tracing` have to be there. All else is
told by the usual variables of OpenTelemetry, such as OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_TRACES_SAMPLER:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

import os
from collections.abc import Mapping
from threading import Thread
from time import perf_counter_ns, time_ns
from typing import Any
from uuid import uuid4

from opentelemetry import trace

from app.errors import StartError, image_with, installation
from app.settings import Settings

SERVICE_NAME = "resnet-serve"
"""What the service is called in traces, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES does."""

FLUSH_SECONDS = 3
"""How long a collector that does not answer may hold up the end of the service."""


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

            from app.observability.sampling import WithoutUrls
        except ImportError as error:
            message = (
                f"RESNET_SERVE_TRACES=otlp needs the extra `tracing`: {installation('tracing')}, or"
                f" {image_with('tracing')} ({error})"
            )
            raise StartError(message) from error
        own: dict[str, str | int] = {
            "service.name": SERVICE_NAME,
            "service.instance.id": str(uuid4()),
            "process.pid": os.getpid(),  # which log lines have too
        }
        # Once more from the environment, whose word for any of them is the last.
        resource = Resource.create(own).merge(OTELResourceDetector().detect())
        self.provider = TracerProvider(resource=resource)
        # Once it has chosen the one that the environment asks for; each tracer takes what is there by then.
        self.provider.sampler = WithoutUrls(self.provider.sampler)
        self.provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self.provider.get_tracer("resnet-serve")

    def describe(self, attributes: Mapping[str, str | int]) -> None:
        """Give the current request's span `attributes`."""
        trace.get_current_span().set_attributes(attributes)

    def stage(
        self, name: str, started: float, ended: float, attributes: Mapping[str, int] | None = None
    ) -> None:
        """Give the current request's span a child from `started` to `ended`, both times of `perf_counter`."""
        if not trace.get_current_span().is_recording():
            return
        # A thread may be held up between the two clocks, and then tells too little, never too much.
        offset = max(time_ns() - perf_counter_ns() for _ in range(3))
        span = self._tracer.start_span(
            name, start_time=offset + round(started * 1e9), attributes=dict(attributes or {})
        )
        span.end(offset + round(ended * 1e9))

    def close(self) -> None:
        """Export what is left, within `FLUSH_SECONDS`; waits for that, so not for the event loop."""
        # The exporter asks a collector that is not there again and again, and takes no word for how long.
        closing = Thread(target=self.provider.shutdown, daemon=True)
        closing.start()
        closing.join(FLUSH_SECONDS)


def create_tracing(settings: Settings) -> Tracing | None:
    """The tracing that the settings ask for. Raises `StartError`."""
    return Tracing() if settings.traces == "otlp" else None


def name_span(scope: Mapping[str, Any], route: str) -> None:
    """Name the current request's span as FastAPI does, for a route that is taken past it."""
    span = trace.get_current_span()
    span.update_name(f"{scope['method']} {route}")
    span.set_attribute("http.route", route)


def note_error(code: str, message: str | None) -> None:
    """Have the current request's span say why it failed. `message` must hold nothing of the client's."""
    span = trace.get_current_span()
    span.set_attribute("error.code", code)
    if message is not None:
        span.set_attribute("error.message", message)


def trace_id() -> str | None:
    """Of the request that is being handled, as 32 hexadecimal digits, if it is traced."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
