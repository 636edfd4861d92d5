"""A folder of somebody's own images: trained on from the bundled weights, exported, and served as it is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from app.main import create_app
from app.settings import Settings
from models.artifact.store import load_artifact
from tests.support.service import running
from tests.support.training_command import training

DIGITS = {"0": "zero", "1": "one", "4": "four and more"}
"""Class names of a user's choice, with a space in one."""


def digits() -> list[tuple[str, Image.Image]]:
    """Handwritten digits that scikit-learn ships, 8 × 8 pixels, enlarged to unequal sizes."""
    data = load_digits()
    found = []
    for number, (pixels, digit) in enumerate(zip(data.images, data.target, strict=True)):
        if str(digit) in DIGITS:
            image = Image.fromarray((pixels * 15.9).astype(np.uint8))
            found.append((DIGITS[str(digit)], image.resize((24 + number % 9, 24 + number % 7))))
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """My digits: 70 of each class in train/, 40 in test/, what is held out to be split off; one is broken."""
    folder = tmp_path_factory.mktemp("own") / "My digits"
    seen = dict.fromkeys(DIGITS.values(), 0)
    for name, image in digits():
        part = "train" if seen[name] < 70 else "test"
        if seen[name] < 110:
            (folder / part / name).mkdir(parents=True, exist_ok=True)
            image.save(folder / part / name / f"{seen[name]}.{'jpg' if seen[name] % 2 else 'png'}")
        seen[name] += 1
    (folder / "train" / "one" / "broken.jpg").write_bytes(b"\xff\xd8 broken")
    return folder


def test_from_a_folder_to_answers(folder: Path, tmp_path: Path) -> None:
    run, artifact = tmp_path / "run", tmp_path / "artifact"
    shown = training(
        "train", "--recipe", "fine-tune", "--init", "bundled", "--data", folder, "--image-size", 16,
        "--epochs", 3, "--balance", "loss", "--out", run, "--device", "cpu",
    )  # fmt: skip
    assert "one: 60 to train on, 10 held out, 40 to test" in shown
    assert "left out train/one/broken.jpg" in shown
    assert f"export --run {run} --data '{folder}'" in shown

    training("export", "--run", run, "--data", folder, "--out", artifact, "--no-int8")
    metadata = load_artifact(artifact).metadata
    assert metadata.name == "My-digits"
    assert metadata.classes == ("four and more", "one", "zero")
    assert metadata.input_size == 16
    assert str(metadata.recipe["init"]).startswith("resnet18-cifar10/1 ")
    assert metadata.metrics.accuracy > 0.9

    measured = training("evaluate", "--artifact", artifact, "--data", folder, "--device", "cpu")
    assert f"accuracy {metadata.metrics.accuracy:.2%} on 120 test images" in measured

    right = 0
    with running(create_app(Settings(model_dir=artifact, device="cpu"))) as client:
        files = sorted((folder / "test").glob("*/*"))
        for path in files:
            answer = client.post("/predict", files={"file": (path.name, path.read_bytes())}).json()
            right += answer["predictions"][0]["top"][0]["label"] == path.parent.name
        described = client.get("/models/My-digits").json()

    # Served by OpenVINO, measured by torch: one image of 120 may fall to the other side.
    assert right / len(files) == pytest.approx(metadata.metrics.accuracy, abs=0.01)
    assert described["metadata"]["classes"] == ["four and more", "one", "zero"]
