"""Which request is which: its id in the answer and in the log."""

import json
import logging
import re

import httpx
import pytest
from PIL import Image

from app.observability.logs import configure_logging
from app.observability.request_context import request_id
from app.settings import Settings
from tests.support.service import Client, png_of

PNG = png_of(Image.new("RGB", (32, 32), "red"))
RAW = {"Content-Type": "image/png"}


@pytest.mark.parametrize(
    "given", ["abc", "0af7651916cd43dd8448eb211c80319c", "a/b:c=d@e~f+g.h-i_j", "x" * 128]
)
def test_a_clients_id_comes_back(client: Client, given: str) -> None:
    assert client.get("/health/live", headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [None, "", "a b", "a\tb", "é".encode(), "x" * 129, "a,b"])
def test_any_other_gets_one_of_its_own(client: Client, given: str | bytes | None) -> None:
    headers = {} if given is None else {"X-Request-ID": given}
    answers = [client.get("/health/live", headers=headers) for _ in range(2)]
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
    assert ids[0] != ids[1]


@pytest.mark.parametrize("path", ["/predict", "/nowhere", "/v2/models/other"])
def test_errors_have_one_too(client: Client, path: str) -> None:
    assert client.get(path, headers={"X-Request-ID": "mine"}).headers["x-request-id"] == "mine"


def test_an_unexpected_error_has_one_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(client.app.state.context.model.engine, "predict", fail)
    response = client.post("/predict", content=PNG, headers={**RAW, "X-Request-ID": "mine"})
    assert (response.status_code, response.headers["x-request-id"]) == (500, "mine")


def test_each_request_has_a_line_without_what_is_private(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="app.http.middleware.telemetry"):
        files = {"file": ("private.png", PNG)}
        client.post("/predict?top_k=3", files=files, headers={"Authorization": "secret"})
    (record,) = (each for each in caplog.records if each.name == "app.http.middleware.telemetry")
    assert re.fullmatch(r"POST /predict 200 in [0-9.]+ ms", record.message)
    fields = record.__dict__
    assert (fields["method"], fields["path"], fields["status"]) == ("POST", "/predict", 200)
    assert fields["duration_ms"] > 0
    for private in ("private.png", "secret", "top_k"):
        assert private not in str(fields)


@pytest.mark.parametrize(
    "path", ["/x%0A2026-01-01%20ERROR%20app%20%5Bmine%5D:%20forged", "/%1B%5B31m", "/a%C3%A9+b"]
)
def test_a_path_cannot_look_like_another_line(
    client: Client, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    with caplog.at_level(logging.INFO, logger="app.http.middleware.telemetry"):
        client.get(path)
    (record,) = (each for each in caplog.records if each.name == "app.http.middleware.telemetry")
    assert record.message.startswith(f"GET {path} 404 in ")
    assert record.__dict__["path"] == path


def test_a_long_path_makes_no_long_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="app.http.middleware.telemetry"):
        client.get("/" + 20_000 * "%20")
    (record,) = (each for each in caplog.records if each.name == "app.http.middleware.telemetry")
    assert record.__dict__["path"] == "/" + 999 * "%20" + "..."


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_lines_of_either_format_name_the_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    level = root.level
    configure_logging(Settings(log_level="info", log_format=log_format))
    token = request_id.set("mine")
    try:
        logging.getLogger("app.x").info("hello\n%s", "there", extra={"status": 200})
        request_id.set(None)
        try:
            raise ValueError("broken")
        except ValueError:
            logging.getLogger("app.y").exception("bad")
    finally:
        request_id.reset(token)
        root.setLevel(level)
    printed = capsys.readouterr().err
    if log_format == "text":
        assert "INFO app.x [mine]: hello" in printed
        assert "ERROR app.y [-]: bad" in printed
        assert "ValueError: broken" in printed
        return
    first, second = (json.loads(line) for line in printed.splitlines())
    assert {"time", "process"} <= set(first)
    known = {name: first[name] for name in ("level", "logger", "request_id", "message", "status")}
    assert known == {
        "level": "INFO",
        "logger": "app.x",
        "request_id": "mine",
        "message": "hello\nthere",
        "status": 200,
    }
    assert second["request_id"] == "-"
    assert "ValueError: broken" in second["exc_info"]


@pytest.mark.parametrize("path", ["/predict", "/v2/models/lenet-test/infer"])
def test_server_timing_tells_the_stages(client: Client, path: str) -> None:
    if path == "/predict":
        response: httpx.Response = client.post(path, content=PNG, headers=RAW)
    else:
        size = client.app.state.context.model.metadata.input_size
        image = {
            "name": "images",
            "datatype": "UINT8",
            "shape": [1, 3, size, size],
            "data": [0] * 3 * size**2,
        }
        response = client.post(path, json={"inputs": [image]})
    stages = dict(re.findall(r"(\w+);dur=([0-9.]+)", response.headers["server-timing"]))
    assert {"receive", "decode", "queue", "inference", "respond"} <= set(stages)
    assert float(stages["inference"]) > 0
