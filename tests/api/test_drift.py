"""A model with a reference is watched while it serves; one without, or with no window, is not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.main import create_app
from app.settings import Settings
from models.artifact.reference import FILE_NAME, measure_reference
from tests.support.artifacts import CLASSES, save_small_artifact, small_model
from tests.support.exposition import samples
from tests.support.service import Client, png_of, running

WINDOW = 8
OF_MODEL = 'name="lenet-test",version="1"'


@pytest.fixture(scope="module")
def watched_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an artifact whose reference are dark images."""
    images = np.random.default_rng(0).integers(0, 30, (20, 3, 32, 32), np.uint8)
    logits = small_model()(torch.from_numpy(images) / 255).detach().numpy()
    reference = measure_reference(images, logits, CLASSES, 1.5)
    folder = tmp_path_factory.mktemp("watched") / "lenet-test" / "1"
    return save_small_artifact(folder, files={FILE_NAME: reference.to_json()})


def _settings(folder: Path, window: int = WINDOW) -> Settings:
    return Settings(model_dir=folder, device="cpu", engine_threads=2, max_batch=8, drift_window=window)


@pytest.fixture
def client(watched_dir: Path) -> Iterator[Client]:
    with running(create_app(_settings(watched_dir))) as client:
        yield client


def _send(client: Client, shade: int, count: int) -> None:
    image = png_of(Image.new("RGB", (32, 32), (shade, shade, shade)))
    answer = client.post("/predict", files=[("file", ("a.png", image))] * count)
    assert answer.status_code == 200


def _read(client: Client) -> dict[str, float]:
    return samples(client.get("/metrics").text)


def _distance(client: Client, feature: str) -> float:
    return _read(client)[f'resnet_serve_drift_distance{{feature="{feature}",{OF_MODEL}}}']


def test_brighter_images_than_those_of_the_reference_are_noticed(client: Client) -> None:
    _send(client, 10, WINDOW)
    assert _distance(client, "brightness") == 0
    _send(client, 250, WINDOW)
    assert _distance(client, "brightness") == 1
    read = _read(client)
    assert read[f"resnet_serve_image_brightness_count{{{OF_MODEL}}}"] == 2 * WINDOW
    predictions = [read[f'resnet_serve_predictions_total{{label="{name}",{OF_MODEL}}}'] for name in CLASSES]
    assert sum(predictions) == 2 * WINDOW


def test_without_a_reference_or_a_window_nothing_is_measured(watched_dir: Path, model_dir: Path) -> None:
    for settings in (_settings(watched_dir, window=0), _settings(model_dir)):
        with running(create_app(settings)) as client:
            _send(client, 10, WINDOW)
            assert not any(name.startswith("resnet_serve_drift_distance{") for name in _read(client))
