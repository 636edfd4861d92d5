"""Serve without PyTorch on an emulated arm64 processor, and compare its answers with those of this machine.

    python -m tests.arm64 [--processor neoverse-n1] [--folder /var/tmp/arm64]

Installs Debian's Python for arm64 and the packages of `slim` into FOLDER, unless they are there; that needs
Debian's packages `debootstrap` and `qemu-user-static`, and root. An emulated processor is some hundred times
as slow as a real one and says nothing of speed: the service is ready after about two minutes. Processors
differ in their vector instructions; `qemu-aarch64-static -cpu help` lists them. Prints one JSON line last.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
from PIL import Image

from tests.bench.program import BenchError, run, say
from tests.bench.server import OURS, ROOT, running

SUITE, INTERPRETER, VERSION = "bookworm", "python3.11", "3.11"
PLATFORMS = ("manylinux_2_35", "manylinux_2_28", "manylinux_2_27", "manylinux2014", "manylinux_2_17")
EMULATOR = "qemu-aarch64-static"
START_SECONDS = 900
TIMEOUT_SECONDS = 300

TOLERANCE = 0.05
"""The largest difference of a probability: values between layers that fall on another side of a rounding to
8 bits change the logits of the bundled network by up to 0.05."""

REFUSED = {"/explain": 501, "/predict": 415}
"""Path and status: without PyTorch `/explain` answers 501, and `/predict` 415 to what is no image."""


def compare(folder: Path, processor: str) -> Mapping[str, Any]:
    """The figures of one comparison. Raises `BenchError` where an answer differs, or a program is missing."""
    for program in ("debootstrap", EMULATOR):
        if which(program) is None:
            raise BenchError(f"{program} is missing: apt-get install debootstrap qemu-user-static")
    system, packages = install(folder)
    emulated = {
        "QEMU_LD_PREFIX": str(system),
        "QEMU_CPU": processor,
        "PYTHONHOME": "/usr",
        "PYTHONPATH": f"{ROOT}:{packages}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "RESNET_SERVE_START_SECONDS": str(START_SECONDS),
    }
    python = (EMULATOR, str(system / "usr" / "bin" / INTERPRETER))
    with TemporaryDirectory() as temporary:
        pictures = write_pictures(Path(temporary))
        with running(OURS, {}) as server:
            expected = [classify(server.address, picture) for picture in pictures]
        say(f"Starting on an emulated {processor}; some minutes")
        with running(OURS, emulated, python=python, start_seconds=START_SECONDS) as server:
            answers = [classify(server.address, picture) for picture in pictures]
            refused = {
                path: post(server.address, path, content).status_code
                for path, content in (("/explain", pictures[0].read_bytes()), ("/predict", b"no image"))
            }
    if refused != REFUSED:
        raise BenchError(f"it answers {refused}, not {REFUSED}")
    difference = max(
        abs(answer[label] - probability)
        for answer, wanted in zip(answers, expected, strict=True)
        for label, probability in wanted.items()
    )
    if difference > TOLERANCE:
        raise BenchError(f"a probability differs by {difference:.3g}, allowed are {TOLERANCE}")
    return {
        "check": "arm64",
        "processor": processor,
        "pictures": len(pictures),
        "largest_difference": round(difference, 4),
        "ready_seconds": round(server.cold_start_seconds),
    }


def install(folder: Path) -> tuple[Path, Path]:
    """Fill `folder` with a system and packages for arm64; returns the folders of both."""
    system, packages = folder / "system", folder / "packages"
    if not (system / "usr" / "bin" / INTERPRETER).exists():
        say(f"Installing Debian {SUITE} for arm64 into {system}")
        options = ("--arch=arm64", "--foreign", "--variant=minbase", "--include=python3")
        command("debootstrap", *options, SUITE, system)
        # Its second stage would run arm64 programs; files in their places are enough here.
        for package in sorted((system / "var" / "cache" / "apt" / "archives").glob("*.deb")):
            command("dpkg-deb", "--extract", package, system)
    if not packages.exists():
        say(f"Installing packages for arm64 into {packages}")
        command(
            *(sys.executable, "-m", "pip", "install", "--quiet", "--ignore-installed", "--target", packages),
            *("--python-version", VERSION, "--only-binary=:all:"),
            *(f"--platform={name}_aarch64" for name in PLATFORMS),
            *("--constraint", ROOT / "constraints.txt", f"{ROOT}[slim]"),
        )
    return system, packages


def command(*words: str | Path) -> None:
    """Run a command. Raises `BenchError` with the end of what it printed if it fails, or if it is missing."""
    try:
        done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise BenchError(f"{words[0]} is missing: apt-get install debootstrap qemu-user-static") from error
    if done.returncode:
        raise BenchError(f"{words[0]} failed: {(done.stdout + done.stderr).strip()[-600:]}")


def write_pictures(folder: Path) -> Sequence[Path]:
    """The page's samples as they are, and larger pictures in several formats, which are scaled down."""
    noise = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    gradient = Image.linear_gradient("L").resize((1200, 900)).convert("RGB")
    for name, picture in (("noise", Image.fromarray(noise)), ("gradient", gradient)):
        for kind in ("jpeg", "webp", "png"):
            picture.save(folder / f"{name}.{kind}")
    return [*sorted((ROOT / "app" / "static" / "samples").glob("*.png")), *sorted(folder.iterdir())]


def classify(address: str, picture: Path) -> dict[str, float]:
    """The probability of each class. Raises `BenchError` for any other answer."""
    response = post(address, "/predict?top_k=10", picture.read_bytes())
    if response.status_code != httpx.codes.OK:
        raise BenchError(f"{picture.name}: {response.status_code} {response.text[:300]}")
    return {entry["label"]: entry["probability"] for entry in response.json()["predictions"][0]["top"]}


def post(address: str, path: str, content: bytes) -> httpx.Response:
    return httpx.post(address + path, files={"file": content}, timeout=TIMEOUT_SECONDS, trust_env=False)


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tests.arm64", description="serve on an emulated arm64")
    top.add_argument("--processor", default="neoverse-n1", help="processor to emulate (%(default)s)")
    top.add_argument("--folder", type=Path, default=Path("/var/tmp/arm64"), help="%(default)s")
    return top


def main() -> int:
    arguments = parser().parse_args()
    return run(lambda: compare(arguments.folder, arguments.processor))


if __name__ == "__main__":
    sys.exit(main())
