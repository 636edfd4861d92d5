"""The image that trains: a short training on folders beside it, as an ordinary user."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from tests.containers.engine import Compose, output, require, step
from tests.containers.service import check_bill_of_materials

CLASSES, IMAGES = ("dark", "light"), 64
USER = "1000:1000"


def check_training(compose: Compose) -> None:
    """Build the image and train a LeNet in it for one epoch."""
    step("Building the image of train; some minutes when PyTorch has to be loaded")
    compose.run("--profile", "train", "build", "train")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _make_images(place / "data")
        (place / "runs").mkdir()
        for each in (place, place / "runs"):
            each.chmod(0o777)
        override = place / "override.json"
        volumes = [f"{place / name}:/srv/{name}" for name in ("data", "runs")]
        override.write_text(json.dumps({"services": {"train": {"volumes": volumes}}}))
        beside = compose.overridden_by(override)
        in_container = ["--profile", "train", "run", "--rm", "-T"]
        try:
            train = ["train", "--recipe", "lenet", "--data", "data", "--out", "runs/lenet", "--epochs", "1"]
            beside.run(*in_container, "train", *train, environment=os.environ | {"TRAIN_USER": USER})
            checkpoint = place / "runs" / "lenet" / "checkpoint.pt"
            require(checkpoint.is_file(), "training leaves no checkpoint in runs/")
            owner = checkpoint.stat().st_uid
            require(f"{owner}:{owner}" == USER, f"its files belong to user {owner}")
            listed = [*in_container, "--entrypoint", "cat", "train", "/opt/venv/sbom.json"]
            check_bill_of_materials(output([*beside.command, *listed]))
        finally:
            beside.run("--profile", "train", "down", "--volumes")
    step("It trains as an ordinary user, on data beside it")


def _make_images(data: Path) -> None:
    """Noise, dark or light, in a folder for each class."""
    random = np.random.default_rng(0)
    for position, name in enumerate(CLASSES):
        (data / name).mkdir(parents=True)
        for number in range(IMAGES):
            pixels = random.integers(0, 128, (32, 32, 3), dtype=np.uint8) + np.uint8(128 * position)
            Image.fromarray(pixels).save(data / name / f"{number}.png")
