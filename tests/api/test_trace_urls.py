"""What a client writes into a URL reaches no trace."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes
from PIL import Image

from app import main
from app.main import create_app
from app.observability import tracing
from app.settings import Settings
from tests.support.service import png_of, running

PNG = png_of(Image.new("RGB", (32, 32), "green"))
HEADERS = {"Content-Type": "image/png"}


class _Watching(Sampler):
    """Takes every trace, and keeps what it was told of each."""

    def __init__(self) -> None:
        self.told: list[Attributes] = []

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        self.told.append(attributes)
        return ALWAYS_ON.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        return "watching"


def test_nothing_of_a_url_is_in_a_span_or_told_to_a_sampler(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(model_dir=model_dir, device="cpu", engine="torch", max_batch=2, traces="otlp")
    watching, exporter = _Watching(), InMemorySpanExporter()
    monkeypatch.setattr(sampling, "_get_from_env_or_default", lambda: watching)
    monkeypatch.setattr(main, "create_tracing", lambda _: tracing.Tracing(exporter))
    secret = "what-nobody-may-see"
    paths = ["/predict", "/health/live", f"/{secret}", f"/models/{secret}"]
    with running(create_app(settings)) as client:
        for path in paths:
            client.post(f"{path}?top_k=1&{secret}={secret}", content=PNG, headers=HEADERS)
        assert client.app.state.context.tracing.provider.force_flush()
        spans = exporter.get_finished_spans()
    assert len([span for span in spans if span.parent is None]) == len(paths)
    assert len(watching.told) >= len(paths)
    assert secret not in "".join(span.to_json() for span in spans)
    assert secret not in str(watching.told)
