"""A model repository that is away for a while, as on a network: what is loaded serves on."""

from pathlib import Path
from threading import Event

import httpx
import pytest
from PIL import Image

from app.main import create_app
from app.registry.repository import Repository
from app.settings import Settings
from app.v2 import repository
from tests.support.artifacts import save_small_artifact
from tests.support.service import png_of, running


def test_what_cannot_be_read_is_told_and_what_is_loaded_serves_on(tmp_path: Path) -> None:
    here, away = tmp_path / "models", tmp_path / "away"
    save_small_artifact(here / "dogs" / "1", name="dogs", version="1")
    settings = Settings(model_repository=here, management=True, engine="torch", device="cpu", max_batch=1)
    with running(create_app(settings)) as client:

        def load() -> httpx.Response:
            return client.post("/v2/repository/models/dogs/load")

        here.rename(away)
        for refused in (client.post("/v2/repository/index"), load()):
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            message = "the model repository cannot be read at the moment: No such file or directory"
            assert refused.json() == {"error": message}
        picture = png_of(Image.new("RGB", (32, 32)))
        sent = client.post("/predict", content=picture, headers={"Content-Type": "image/png"})
        assert sent.json()["model"] == {"name": "dogs", "version": "1"}
        away.rename(here)
        assert load().status_code == 200


def test_one_that_never_answers_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = Event()
    save_small_artifact(tmp_path / "dogs" / "1", name="dogs", version="1")
    with running(create_app(Settings(model_repository=tmp_path, engine="torch", device="cpu"))) as client:
        monkeypatch.setattr(repository, "LOOK_SECONDS", 0.1)
        monkeypatch.setattr(Repository, "versions", lambda _: answers.wait() and {})
        for _ in range(4):
            refused = client.post("/v2/repository/index")
            assert refused.status_code == 503
            assert refused.json()["error"].endswith("at the moment: it did not answer within 0.1 s")
        answers.set()
