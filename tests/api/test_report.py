"""GET /models/{name}/report: how the model was trained and tested."""

import asyncio
import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from app.main import create_app
from app.routes import models as models_routes
from app.settings import BUNDLED_MODEL, Settings
from models.artifact.report import FILE_NAME, TrainingReport, load_report, parse_report
from tests.support.artifacts import save_small_artifact
from tests.support.service import Client, error_of, running


def serving(settings: Settings, folder: Path, report: bytes) -> Settings:
    save_small_artifact(folder, files={FILE_NAME: report})
    return settings.model_copy(update={"model_dir": folder})


def test_report_is_what_training_stored(settings: Settings, tmp_path: Path) -> None:
    stored = load_report(BUNDLED_MODEL)
    content = (BUNDLED_MODEL / FILE_NAME).read_bytes()
    with running(create_app(serving(settings, tmp_path / "1", content))) as client:
        answer = client.get("/models/lenet-test/report")
        assert client.get("/models/lenet-test").json()["report"] is True
    assert answer.status_code == 200
    report = answer.json()
    for epoch, record in zip(report["history"], stored.history, strict=True):
        assert epoch.items() <= vars(record).items()
    assert report["evaluation"].items() <= vars(stored.evaluation).items()
    assert stored.mistakes is not None
    first = report["mistakes"][0]
    assert first.items() <= vars(stored.mistakes[0]).items()
    with Image.open(io.BytesIO(base64.b64decode(first["picture"]))) as picture:
        assert picture.size == (32, 32)


def test_model_without_a_report_says_so(client: Client) -> None:
    assert client.get("/models/lenet-test").json()["report"] is False
    answer = client.get("/models/lenet-test/report")
    assert answer.status_code == 404
    error = error_of(answer)
    assert error["code"] == "no_report"
    assert error["message"] == "lenet-test, version 1, has no report that can be read"


def test_report_is_read_while_others_are_answered(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parse(content: bytes) -> TrainingReport:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return parse_report(content)

    monkeypatch.setattr(models_routes, "parse_report", parse)
    content = (BUNDLED_MODEL / FILE_NAME).read_bytes()
    with running(create_app(serving(settings, tmp_path / "1", content))) as client:
        assert client.get("/models/lenet-test/report").status_code == 200


def test_report_of_another_kind_is_as_none(settings: Settings, tmp_path: Path) -> None:
    with running(create_app(serving(settings, tmp_path / "1", b"{}"))) as client:
        assert error_of(client.get("/models/lenet-test/report"))["code"] == "no_report"


def test_unknown_model_has_no_report(client: Client) -> None:
    assert error_of(client.get("/models/other/report"))["code"] == "unknown_model"
