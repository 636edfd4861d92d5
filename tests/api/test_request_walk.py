"""How much of the service one request passes through: what has to be read to follow it."""

import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from app import main
from app.settings import Settings
from tests.support.predicting import noise_image
from tests.support.service import png_of, running

APP = Path(main.__file__).parent
MOST_FILES = 15


@pytest.mark.parametrize("fast", [True, False], ids=["fast path", "FastAPI's own path"])
def test_a_prediction_passes_through_few_files(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, fast: bool
) -> None:
    walked: set[str] = set()
    watching = threading.Event()

    def watch(frame: FrameType, event: str, _: Any) -> None:  # noqa: ANN401 - sys.setprofile's own
        code: CodeType = frame.f_code
        if event == "call" and watching.is_set() and Path(code.co_filename).is_relative_to(APP):
            walked.add(Path(code.co_filename).relative_to(APP).as_posix())

    if not fast:
        monkeypatch.setattr(main, "FAST_PATH", {})
    before = threading.getprofile()
    threading.setprofile(watch)  # for threads that start from now on, as all of the service do
    try:
        _predict_twice(settings, watching)
    finally:
        threading.setprofile(before)
    assert {"routes/predict.py", "batching/batcher.py", "registry/served_model.py"} <= walked
    assert len(walked) <= MOST_FILES, sorted(walked)


def _predict_twice(settings: Settings, watching: threading.Event) -> None:
    with running(main.create_app(settings)) as client:
        request = {"files": {"file": ("a.png", png_of(noise_image()))}}
        assert client.post("/predict", **request).status_code == 200
        watching.set()
        assert client.post("/predict", **request).status_code == 200
        watching.clear()
