"""A place where what the documents tell people to type is really run: a copy of the project, and a server."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from app.settings.environment import variable
from tests.documents.documents import ROOT
from tests.support.artifacts import save_small_artifact
from tests.support.forked_python import forked_python
from tests.support.server_process import running

LINKED = ("app", "tests", "training", "Makefile", "Dockerfile", "docker-compose.yml", "pyproject.toml")
LINKED_TOO = ("constraints.txt", "README.md", "LICENSE")
TEST_PHOTOS = ROOT / "tests" / "data" / "photos"
SAMPLES = ROOT / "app" / "static" / "samples"
PUBLISHED = re.compile(r"(?:127\.0\.0\.1|localhost):8000")
SECONDS = 500


@dataclass(frozen=True)
class Sandbox:
    """`address` is host and port of the server, which serves `folder`/models/weights."""

    folder: Path
    address: str

    def moved(self, code: str) -> str:
        """The same code, but for this server in place of the one that it names."""
        return PUBLISHED.sub(self.address, code)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder, with its commands before all others; its output is captured."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "CURL_HOME": str(self.folder), "NO_PROXY": "*"}
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**environment, variable("device"): "cpu", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


@contextmanager
def sandbox(folder: Path) -> Iterator[Sandbox]:
    """Furnish `folder`, start a server that manages its models, and add a second version of the model."""
    for name in (*LINKED, *LINKED_TOO):
        (folder / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "models", folder / "models", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    shutil.copy(TEST_PHOTOS / "chelsea.jpg", folder / "photo.jpg")
    shutil.copy(SAMPLES / "cat.png", folder / "cat.png")
    _paint_photos(folder / "photos")
    weights = folder / "models" / "weights"
    settings = {
        variable("model_repository"): str(weights),
        variable("management"): "true",
        variable("feedback"): "true",
        variable("feedback_images"): "true",
        variable("feedback_database"): f"sqlite:///{folder / 'feedback.db'}",
    }
    with forked_python() as python, running(weights, settings) as (_, address, _):
        _install_commands(folder / "bin", python)
        model = "resnet18-cifar10"
        save_small_artifact(weights / model / "2", name=model, version="2")
        yield Sandbox(folder, address.removeprefix("http://"))


def _install_commands(folder: Path, python: Path) -> None:
    """`python`, and the commands that installing the project would add."""
    folder.mkdir()
    (folder / "python").symlink_to(python)
    scripts: Mapping[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"].get(
        "scripts", {}
    )
    for name, entry in scripts.items():
        code = "import sys; from {} import {} as run; sys.exit(run())".format(*entry.split(":"))
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {python} -c "{code}" "$@"\n')
        program.chmod(0o755)


def _paint_photos(folder: Path) -> None:
    """A folder of images of two classes, as one of a user's own: bright and dark noise of many sizes."""
    noise = np.random.default_rng(0)
    for label, base in (("dark", 0), ("bright", 128)):
        (folder / label).mkdir(parents=True)
        for number in range(24):
            pixels = noise.integers(base, base + 128, (40 + number, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")
