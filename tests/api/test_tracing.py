"""TRACES=otlp: a span of every request, with its stages as children, and nothing of its content."""

import json
import logging
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from PIL import Image

from app import main, tracing
from app.logs import configure_logging
from app.main import create_app
from app.settings import Settings
from app.startup import StartError
from tests.api.conftest import Client, png_of, running

PNG = png_of(Image.new("RGB", (32, 32), "green"))
RAW = {"content": PNG, "headers": {"Content-Type": "image/png"}}
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _quick(model_dir: Path, **others: object) -> Settings:
    settings = {"model_dir": model_dir, "device": "cpu", "engine": "torch", "max_batch": 1}
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


def _spans(client: Client, exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    """The spans of the last request by their names."""
    assert client.app.state.service.tracing.provider.force_flush()
    spans = {span.name: span for span in exporter.get_finished_spans()}
    exporter.clear()
    return spans


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
    assert request.resource.attributes["service.name"] == "resnet-serve"
    ends = 0
    for span in spans.values():
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
        assert span.start_time is not None
        assert span.end_time is not None
        assert ends <= span.start_time <= span.end_time
        ends = span.end_time
    told = response.json()["timings_ms"]["inference"]
    inference = spans["inference"]
    assert (inference.end_time - inference.start_time) / 1e6 == pytest.approx(told, abs=0.002)  # type: ignore[operator]


def test_the_open_inference_protocol_is_traced_too(traced: Client, exporter: InMemorySpanExporter) -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": [2, 3, 32, 32], "data": [0] * 2 * 3 * 32 * 32}
    assert traced.post("/v2/models/lenet-test/infer", json={"inputs": [tensor]}).status_code == 200
    spans = _spans(traced, exporter)
    request = spans.pop("POST /v2/models/{name}/infer")
    assert list(spans) == ["receive", "decode", "preprocess", "queue", "inference", "respond"]
    assert request.attributes is not None
    assert request.attributes["images"] == 2


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

    monkeypatch.setattr(traced.app.state.service.model.engine, "predict", lambda _: 1 / 0)
    assert traced.post("/predict", **RAW).status_code == 500
    failed = _spans(traced, exporter)["POST /predict"]
    assert failed.status.status_code == StatusCode.ERROR


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
    (line,) = (json.loads(line) for line in lines if "/health/live" in line and "app.request_log" in line)
    assert line["trace_id"] == CALLER.split("-")[1]


def test_spans_reach_a_collector_before_the_service_ends(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        Thread(target=collector.serve_forever, args=(0.01,), daemon=True).start()
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "my-service")
        with running(create_app(_quick(model_dir))) as client:
            client.get("/health/live")
        collector.shutdown()
    assert {path for path, _ in received} == {"/v1/traces"}
    content = b"".join(body for _, body in received)
    assert b"GET /health/live" in content
    assert b"my-service" in content


def test_without_the_extra_the_start_stops_with_one_line(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(StartError, match=r"TRACES=otlp needs the extra `tracing`: pip install"):
        create_app(_quick(model_dir))


def test_it_is_off_by_default(model_dir: Path) -> None:
    assert tracing.create_tracing(Settings(model_dir=model_dir)) is None
