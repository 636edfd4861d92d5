"""The loop that training/README.md tells of: served, corrected, retrained, compared, loaded, rolled back."""

import base64
import io
import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from models.artifact.store import read_metadata
from tests.support.server_process import running
from tests.support.training_command import training

RECIPE = ("--recipe", "lenet", "--epochs", "1", "--image-size", "32", "--device", "cpu")
CORRECTED = 6


def _noise(random: np.random.Generator, base: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(random.integers(base, base + 100, (32, 32, 3), dtype=np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def _paint(folder: Path, random: np.random.Generator) -> None:
    for label, base in (("dark", 0), ("bright", 150)):
        (folder / label).mkdir(parents=True)
        for number in range(20):
            (folder / label / f"{number}.png").write_bytes(_noise(random, base))


def _answered_by(client: httpx.Client, image: bytes) -> str:
    answer = client.post("/predict", params={"model": "photos"}, files={"file": image}).raise_for_status()
    version: str = answer.json()["model"]["version"]
    return version


def _correct(client: httpx.Client, image: bytes, label: str) -> None:
    answer = client.post("/predict", params={"model": "photos"}, files={"file": image}).raise_for_status()
    correction = {
        "request_id": answer.headers["X-Request-ID"],
        "label": label,
        "image": base64.b64encode(image).decode(),
    }
    kept = client.post("/feedback", json=correction).raise_for_status().json()
    assert kept["prediction"]["model"] == {"name": "photos", "version": "1"}
    assert kept["prediction"]["label"] == answer.json()["predictions"][0]["top"][0]["label"]


@pytest.mark.timeout(1200)
def test_corrections_come_back_as_a_new_version(tmp_path: Path) -> None:
    photos, weights = tmp_path / "photos", tmp_path / "weights"
    random = np.random.default_rng(0)
    _paint(photos, random)
    first, second = weights / "photos" / "1", weights / "photos" / "2"
    training("train", *RECIPE, "--data", photos, "--out", tmp_path / "run1")
    export = ("export", "--data", photos, "--device", "cpu", "--no-int8", "--name", "photos")
    training(*export, "--run", tmp_path / "run1", "--out", first)

    url = f"sqlite:///{tmp_path / 'feedback.db'}"
    settings = {
        "RESNET_SERVE_MODEL_REPOSITORY": str(weights),
        "RESNET_SERVE_MANAGEMENT": "true",
        "RESNET_SERVE_FEEDBACK": "true",
        "RESNET_SERVE_FEEDBACK_IMAGES": "true",
        "RESNET_SERVE_FEEDBACK_DATABASE": url,
    }
    with running(first, settings) as (_, address, _), httpx.Client(base_url=address, timeout=60) as client:
        for _ in range(CORRECTED):
            _correct(client, _noise(random, 75), "bright")
        told = json.loads(training("export-feedback", "--database", url, "--out", photos, "--json"))
        left_out = ("without_image", "superseded", "unfit", "ambiguous")
        written = {"written": {"bright": CORRECTED}, "new_classes": []}
        assert told == {**written, **dict.fromkeys(left_out, 0)}

        training("train", *RECIPE, "--init", first, "--data", photos, "--out", tmp_path / "run2")
        training(*export, "--run", tmp_path / "run2", "--out", second, "--version", "2")
        counts = [_images(folder) for folder in (first, second)]
        assert counts == [40, 40 + CORRECTED]
        compared = json.loads(training("compare", first, second, "--data", photos, "--json"))
        assert sum(compared["counts"].values()) == read_metadata(second).dataset.test_images

        image = _noise(random, 75)
        assert _answered_by(client, image) == "1"
        load = "/v2/repository/models/photos/load"
        client.post(load).raise_for_status()
        assert _answered_by(client, image) == "2"
        client.post(load, json={"parameters": {"version": "1"}}).raise_for_status()
        assert _answered_by(client, image) == "1"


def _images(folder: Path) -> int:
    data = read_metadata(folder).dataset
    return data.train_images + data.held_out_images + data.test_images
