"""`traces` set to otlp: a span of every request, with its stages as children, and nothing of its content."""

import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from PIL import Image

from app import main
from app.errors import StartError
from app.inference.preparation import INLINE_BYTES
from app.main import create_app
from app.observability import tracing
from app.observability.logs import configure_logging
from app.settings import Settings
from tests.support.collector import collecting
from tests.support.service import Client, png_of, running

PNG = png_of(Image.new("RGB", (32, 32), "green"))
RAW = {"content": PNG, "headers": {"Content-Type": "image/png"}}
ROOT = Path(__file__).parents[2]
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

SLACK_NS = 1_000_000
"""The clock of spans is set right now and then, and the one that times stages is not."""


def _quick(model_dir: Path, **others: object) -> Settings:
    settings = {"model_dir": model_dir, "device": "cpu", "engine": "torch", "max_batch": 2}
    return Settings.model_validate({**settings, "traces": "otlp", **others})


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture(scope="module")
def traced(model_dir: Path, exporter: InMemorySpanExporter) -> Iterator[Client]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "create_tracing", lambda _: tracing.Tracing(exporter))
        app = create_app(_quick(model_dir))
    with running(app) as client:
        yield client


def _all_spans(client: Client, exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans of the last request, in the order in which they ended."""
    assert client.app.state.context.tracing.provider.force_flush()
    spans = list(exporter.get_finished_spans())
    exporter.clear()
    return spans


def _spans(client: Client, exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """The same by their names."""
    return {span.name: span for span in _all_spans(client, exporter)}


def _seconds(span: ReadableSpan) -> float:
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.end_time - span.start_time) / 1e9


def test_a_span_has_the_stages_as_children_one_after_the_other(
    traced: Client, exporter: InMemorySpanExporter
) -> None:
    response = traced.post("/predict?top_k=1", **RAW)
    spans = _spans(traced, exporter)
    request = spans.pop("POST /predict")
    assert list(spans) == ["receive", "decode", "preprocess", "queue", "inference", "respond"]
    assert request.attributes is not None
    assert {
        "http.route": "/predict",
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "model.name": "lenet-test",
        "model.version": "1",
        "images": 1,
    }.items() <= request.attributes.items()
    resource = request.resource.attributes
    assert resource["service.name"] == "resnet-serve"
    assert {"service.instance.id", "process.pid", "telemetry.sdk.version"} <= set(resource)
    assert request.start_time is not None
    latest = request.start_time
    for span in spans.values():
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
        assert span.start_time is not None
        assert span.end_time is not None
        assert latest - SLACK_NS <= span.start_time <= span.end_time
        latest = span.end_time
    assert request.end_time is not None
    assert latest - SLACK_NS <= request.end_time
    told = response.json()["timings_ms"]
    for stage in ("receive", "decode", "preprocess", "inference"):
        assert _seconds(spans[stage]) * 1000 == pytest.approx(told[stage], abs=0.002)


def test_a_stage_is_shown_when_it_was(
    traced: Client, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that lasts delays the next one: the queue's span holds that time, and the batches follow it."""
    predict = traced.app.state.context.model.engine.predict

    def slow(images: object) -> object:
        time.sleep(0.05)
        return predict(images)

    monkeypatch.setattr(traced.app.state.context.model.engine, "predict", slow)
    large = PNG + b" " * INLINE_BYTES
    assert traced.post("/predict", files=[("file", ("a.png", large))] * 3).status_code == 200
    spans = _all_spans(traced, exporter)
    names = [span.name for span in spans]
    # They wait for a decoding thread first, and then for the network, which takes two of them at a time.
    stages = ["receive", "queue", "decode", "preprocess", *["queue", "inference"] * 2, "respond"]
    assert names == [*stages, "POST /predict"]
    first, second = (span for span in spans if span.name == "inference")
    assert [span.attributes["batch.size"] for span in (first, second)] == [2, 1]  # type: ignore[index]
    for batch in (first, second):
        assert _seconds(batch) >= 0.05
    assert first.end_time <= second.start_time + SLACK_NS  # type: ignore[operator]
    respond = spans[-2]
    assert second.end_time <= respond.start_time + SLACK_NS  # type: ignore[operator]


def test_the_open_inference_protocol_is_traced_too(traced: Client, exporter: InMemorySpanExporter) -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [2, 3, 32, 32], "data": [0] * 2 * 3 * 32 * 32}
    assert traced.post("/v2/models/lenet-test/infer", json={"inputs": [tensor]}).status_code == 200
    spans = _spans(traced, exporter)
    request = spans.pop("POST /v2/models/{name}/infer")
    assert list(spans) == ["receive", "queue", "inference", "respond"]  # for these are pixels already
    assert request.attributes is not None
    assert request.attributes["images"] == 2
    assert request.attributes["model.name"] == "lenet-test"


def test_the_callers_trace_goes_on(traced: Client, exporter: InMemorySpanExporter) -> None:
    traced.post("/predict", content=PNG, headers={**RAW["headers"], "traceparent": CALLER})  # type: ignore[dict-item]
    for span in _spans(traced, exporter).values():
        assert f"{span.context.trace_id:032x}" == CALLER.split("-")[1]


def test_a_refusal_says_why_and_an_error_of_ours_is_marked(
    traced: Client, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced.post("/predict", content=b"no image", headers=RAW["headers"])
    refused = _spans(traced, exporter)["POST /predict"]
    assert refused.attributes is not None
    assert refused.attributes["error.code"] == "unsupported_image"
    assert refused.status.status_code == StatusCode.UNSET

    monkeypatch.setattr(traced.app.state.context.model.engine, "predict", lambda _: 1 / 0)
    assert traced.post("/predict", **RAW).status_code == 500
    failed = _spans(traced, exporter)["POST /predict"]
    assert failed.status.status_code == StatusCode.ERROR


def test_a_deadline_says_where_the_time_went(
    traced: Client, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(traced.app.state.context.model.engine, "predict", lambda _: release.wait(10))
    late = traced.post("/predict", content=PNG, headers={**RAW["headers"], "X-Request-Timeout": "0.5"})  # type: ignore[dict-item]
    release.set()
    assert late.status_code == 504
    spans = _spans(traced, exporter)
    request = spans.pop("POST /predict")
    assert list(spans) == ["receive", "decode", "preprocess"]
    assert request.status.status_code == StatusCode.ERROR
    assert request.attributes is not None
    assert request.attributes["error.code"] == "deadline_exceeded"
    assert "running in a batch" in str(request.attributes["error.message"])
    assert request.attributes["model.version"] == "1"


def test_neither_content_nor_keys_are_in_a_span(
    model_dir: Path, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "create_tracing", lambda _: tracing.Tracing(exporter))
    key = "a-key-that-nobody-may-see"
    with running(create_app(_quick(model_dir, api_keys=key))) as client:
        headers = {"X-API-Key": key}
        client.post("/predict", files={"file": ("secret-name.png", PNG, "image/png")}, headers=headers)
        text = "".join(span.to_json() for span in _spans(client, exporter).values())
    assert "POST /predict" in text
    assert key not in text
    assert "secret-name" not in text


def test_log_lines_name_the_trace(traced: Client, exporter: InMemorySpanExporter) -> None:
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    lines: list[str] = []
    try:
        root.handlers.clear()
        configure_logging(Settings(log_format="json", log_level="info"))
        (handler,) = root.handlers
        handler.emit = lambda record: lines.append(handler.format(record))  # type: ignore[method-assign]
        traced.get("/health/live", headers={"traceparent": CALLER})
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    exporter.clear()
    (line,) = (
        json.loads(line)
        for line in lines
        if "/health/live" in line and "app.http.middleware.telemetry" in line
    )
    assert line["trace_id"] == CALLER.split("-")[1]


def test_spans_reach_a_collector_before_the_service_ends(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with collecting() as collector:
        for name, value in collector.settings.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "my-service")
        with running(create_app(_quick(model_dir))) as client:
            client.get("/health/live")
    assert {path for path, _ in collector.received} == {"/v1/traces"}
    assert [name for _, name in collector.spans()] == ["GET /health/live"]
    assert b"my-service" in b"".join(body for _, body in collector.received)


def test_a_collector_that_does_not_answer_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "20")
        asked = tracing.Tracing()
        asked.provider.get_tracer("test").start_span("unsent").end()
        started = time.monotonic()
        asked.close()
        assert time.monotonic() - started < 10


@pytest.mark.parametrize("start", [create_app, main.check])
def test_without_the_extra_the_start_stops_with_one_line(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch, start: Callable[[Settings], object]
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    told = (
        r"^RESNET_SERVE_TRACES=otlp needs the extra `tracing`: pip install '\.\[tracing\]' in the project's"
        r" folder, or build the image with EXTRAS=serve,tracing \(.*\)$"
    )
    with pytest.raises(StartError, match=told):
        start(_quick(model_dir))


def test_it_is_off_by_default(model_dir: Path) -> None:
    assert tracing.create_tracing(Settings(model_dir=model_dir)) is None


def test_what_sends_traces_is_imported_only_where_they_are_sent() -> None:
    script = (
        "import sys; from app.settings import Settings; from app.observability.tracing import create_tracing;"
        "create_tracing(Settings(traces=sys.argv[1]));"
        "print(sorted(name for name in sys.modules if name.startswith('opentelemetry.')))"
    )
    imported = {
        traces: subprocess.run(
            [sys.executable, "-c", script, traces], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for traces in ("none", "otlp")
    }
    for package in ("opentelemetry.sdk", "opentelemetry.exporter"):
        assert package in imported["otlp"]
        assert package not in imported["none"]
