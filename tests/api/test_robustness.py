"""GET /models/{name}/robustness: how the model fares when something happened to the picture."""

from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from models.artifact.robustness import FILE_NAME
from models.artifact.store import read_metadata
from tests.support.artifacts import save_small_artifact
from tests.support.robustness import made_up
from tests.support.service import Client, error_of, running


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    save_small_artifact(tmp_path / "measured")
    return made_up(read_metadata(tmp_path / "measured")).model_dump_json().encode()


def serving(settings: Settings, folder: Path, content: bytes) -> Settings:
    save_small_artifact(folder, files={FILE_NAME: content})
    return settings.model_copy(update={"model_dir": folder})


def test_it_is_what_was_measured(settings: Settings, tmp_path: Path, content: bytes) -> None:
    with running(create_app(serving(settings, tmp_path / "1", content))) as client:
        assert client.get("/models/lenet-test").json()["robustness"] is True
        answer = client.get("/models/lenet-test/robustness")
    assert answer.status_code == 200
    assert answer.content == content


def test_a_model_without_it_says_so(client: Client) -> None:
    assert client.get("/models/lenet-test").json()["robustness"] is False
    answer = client.get("/models/lenet-test/robustness")
    assert answer.status_code == 404
    error = error_of(answer)
    assert error["code"] == "no_robustness"
    assert error["message"] == "lenet-test, version 1, has no figures of robustness that can be read"


def test_figures_of_another_kind_are_as_none(settings: Settings, tmp_path: Path) -> None:
    with running(create_app(serving(settings, tmp_path / "1", b"{}"))) as client:
        assert error_of(client.get("/models/lenet-test/robustness"))["code"] == "no_robustness"


def test_an_unknown_model_has_none(client: Client) -> None:
    assert error_of(client.get("/models/other/robustness"))["code"] == "unknown_model"
