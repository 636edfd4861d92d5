"""The images that train: a short training on folders beside it and its export, as an ordinary user."""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from models.artifact.metadata import MODEL_FILE
from tests.containers.engine import Compose, output, require, step
from tests.containers.service import check_bill_of_materials

CLASSES, IMAGES = ("dark", "light"), 64
USER = "1000:1000"


def check_training(compose: Compose, service: str) -> None:
    """Build the image of `service`, train a LeNet in it for one epoch, and export it."""
    step(f"Building the image of {service}; some minutes when PyTorch has to be loaded")
    compose.run("--profile", service, "build", service)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _make_images(place / "data")
        for name in ("runs", "models/weights"):
            (place / name).mkdir(parents=True)
        for each in (place, place / "runs", place / "models" / "weights"):
            each.chmod(0o777)
        override = place / "override.json"
        volumes = [f"{place / name}:/srv/{name}" for name in ("data", "runs", "models/weights")]
        override.write_text(json.dumps({"services": {service: {"volumes": volumes}}}))
        beside = compose.overridden_by(override)
        in_container = ["--profile", service, "run", "--rm", "-T"]
        as_user = os.environ | {"TRAIN_USER": USER}
        try:
            if service == "train-gpu":
                code = "import torch; print(torch.cuda.is_available())"
                asked = [*in_container, "--entrypoint", "python", service, "-c", code]
                found = output([*beside.command, *asked])
                require(found.splitlines()[-1] == "True", "PyTorch finds no GPU in it")
            train = ["train", "--recipe", "lenet", "--data", "data", "--out", "runs/lenet", "--epochs", "1"]
            beside.run(*in_container, service, *train, environment=as_user)
            _require_own(place / "runs" / "lenet" / "checkpoint.pt")
            # As training says at its end that it goes on.
            export = ["export", "--run", "runs/lenet", "--data", "data"]
            beside.run(*in_container, service, *export, environment=as_user)
            _require_own(place / "models" / "weights" / "data" / "1" / MODEL_FILE)
            listed = [*in_container, "--entrypoint", "cat", service, "/opt/venv/sbom.json"]
            check_bill_of_materials(output([*beside.command, *listed]))
        finally:
            beside.run("--profile", service, "down", "--volumes")
    step("It trains and exports as an ordinary user, from and to folders beside it")


def _require_own(file: Path) -> None:
    """The file is on this side of the container, and belongs to who wrote it."""
    require(file.is_file(), f"there is no {file.name} in {file.parent}")
    owner = file.stat()
    require(f"{owner.st_uid}:{owner.st_gid}" == USER, f"{file.name} belongs to {owner.st_uid}:{owner.st_gid}")


def _make_images(data: Path) -> None:
    """Noise, dark or light, in a folder for each class."""
    random = np.random.default_rng(0)
    for position, name in enumerate(CLASSES):
        (data / name).mkdir(parents=True)
        for number in range(IMAGES):
            pixels = random.integers(0, 128, (32, 32, 3), dtype=np.uint8) + np.uint8(128 * position)
            Image.fromarray(pixels).save(data / name / f"{number}.png")
