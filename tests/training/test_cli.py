import io
import json
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from models.artifact.robustness import load_robustness
from models.artifact.store import load_artifact
from tests.support.tiny_run import tiny_data
from tests.support.training_command import training
from training.__main__ import main
from training.data import cifar10
from training.loop.checkpoint import RunState, load_checkpoint, save_checkpoint
from training.loop.train import Run
from training.recipes import RECIPES


@pytest.fixture
def part_of_cifar10(cifar10_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the real CIFAR-10, of which 5,000 images are read to train on and 250 to test.

    Of the first, LeNet holds out 100. Those held out and those to test are what export corrupts and measures.
    """
    stored = cifar10._stored

    @cache
    def few(folder: Path, *, train: bool) -> SimpleNamespace:
        part, every = stored(folder, train=train), 10 if train else 40
        return SimpleNamespace(data=part.data[::every], targets=part.targets[::every], classes=part.classes)

    monkeypatch.setattr(cifar10, "_stored", few)
    monkeypatch.setitem(RECIPES, "lenet", RECIPES["lenet"].changed(held_out=100))
    return cifar10_folder


def test_from_the_data_to_a_report(part_of_cifar10: Path, tmp_path: Path) -> None:
    """train, export, evaluate and report, as a user runs them, on a part of the real data set."""
    data, epochs = part_of_cifar10, 4
    out, artifact = tmp_path / "run", tmp_path / "artifact"
    shown = training(
        "train", "--recipe", "lenet", "--epochs", epochs, "--data", data, "--out", out, "--device", "cpu"
    )
    assert "epoch   1  32 px" in shown
    assert f"python -m training export --run {out}" in shown
    assert {path.name for path in out.iterdir()} == {
        "checkpoint.pt",
        "tensorboard",
        "training.png",
        "training.svg",
    }

    refused = training(
        "train", "--recipe", "lenet", "--epochs", epochs, "--data", data, "--out", out, status=1
    )
    assert (
        refused.strip()
        == f"error: {out} already holds a run: add --resume to go on with it, or choose another --out"
    )

    training(
        "export",
        "--run",
        out,
        "--out",
        artifact,
        "--data",
        data,
        "--name",
        "small",
        "--version",
        "7",
        "--robustness",
        2,
    )
    metadata = load_artifact(artifact).metadata
    robustness = load_robustness(artifact, metadata)
    assert robustness is not None
    assert robustness.images == 2
    assert (metadata.name, metadata.version) == ("small", "7")
    assert metadata.metrics.accuracy > 0.35

    measured = training("evaluate", "--artifact", artifact, "--data", data, "--device", "cpu")
    assert f"accuracy {metadata.metrics.accuracy:.2%} on 250 test images, torch" in measured
    assert metadata.int8 is not None
    measured = training("evaluate", "--artifact", artifact, "--data", data, "--engine", "int8")
    assert f"accuracy {metadata.int8.metrics.accuracy:.2%} on 250 test images, int8" in measured

    written = training("report", "--artifact", artifact, "--out", tmp_path / "report").split()
    assert str(tmp_path / "report" / "card.md") in written
    assert json.loads((artifact / "report.json").read_text(encoding="utf-8"))["history"][0]["epoch"] == 1


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of twenty images, with names that neither ASCII nor UTF-8 has."""
    folder = tmp_path / "photos"
    chance = np.random.default_rng(0)
    for number, name in enumerate(("日本", "[red]")):
        (folder / name).mkdir(parents=True)
        for file in range(20):
            pixels = chance.integers(0, 128, (16, 16, 3), dtype=np.uint8) + 100 * number
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{file}.png")
    (folder / "日本" / os.fsdecode(b"caf\xe9.txt")).write_text("no image")
    return folder


@pytest.fixture
def keep_signals() -> Iterator[None]:
    """Training takes over the signals of its process, which here is that of all tests."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def train_photos(photos: Path, out: Path, *more: str) -> None:
    arguments = ["--recipe", "lenet", "--image-size", "16", "--device", "cpu", "--data", str(photos)]
    main(["train", *arguments, "--out", str(out), *more])


@pytest.mark.usefixtures("keep_signals")
def test_a_terminal_that_knows_ascii_only_shows_escapes(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    out = tmp_path / "[" / os.fsdecode(b"red]\xff")
    train_photos(photos, out, "--epochs", "1")
    sys.stdout.flush()
    shown = written.getvalue().decode("ascii")
    assert r"\u65e5\u672c: 14 to train on" in shown
    assert "[red]: 14 to train on" in shown
    assert r"left out \u65e5\u672c/caf\udce9.txt: " in shown
    assert re.search(r"into \S+/\[/red\]\\udcff", shown)
    assert re.search(r"done in .*--run \S+/\[/red\]\\udcff", shown)
    assert (out / "checkpoint.pt").is_file()

    train_photos(photos, out, "--epochs", "1", "--resume")
    train_photos(photos, out, "--epochs", "2", "--resume")
    sys.stdout.flush()
    shown = written.getvalue().decode("ascii")
    assert "is finished, all its 1 epochs are done: a larger number of --epochs gives it more" in shown
    assert "nan" not in shown
    assert load_checkpoint(out).epoch == 2


def test_ctrl_c_saves_and_says_how_to_go_on(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    arguments = ["train", "--recipe", "lenet", "--image-size", "16", "--device", "cpu", "--epochs", "1"]
    arguments += ["--data", str(photos), "--out", str(out)]
    step = Run.step

    def interrupted(run: Run, *batch: Tensor) -> tuple[Tensor, Tensor]:
        if run.state.step == 1:
            signal.raise_signal(signal.SIGINT)
        return step(run, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "step", interrupted)
        shown = training(*arguments, status=130)
    command = re.search(r"go on with:\s+python -m training (.*)", shown.replace("\n", " "))
    assert command is not None, shown
    assert command.group(1).split() == [*arguments, "--resume"]
    stopped = load_checkpoint(out)
    assert (stopped.epoch, stopped.step) == (0, 2)

    training(*arguments, "--resume")
    assert load_checkpoint(out).epoch == 1


@pytest.mark.usefixtures("keep_signals")
def test_the_same_command_begins_a_run_and_goes_on_with_it(photos: Path, tmp_path: Path) -> None:
    train_photos(photos, tmp_path, "--epochs", "1", "--auto-resume")
    began = load_checkpoint(tmp_path)
    train_photos(photos, tmp_path, "--epochs", "2", "--auto-resume")
    went_on = load_checkpoint(tmp_path)
    assert went_on.epoch == 2
    assert went_on.history[0] == began.history[0]


@pytest.mark.usefixtures("keep_signals")
def test_a_full_disk_is_one_clear_line(photos: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Beyond this size the kernel refuses to write, as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(SystemExit) as ended:
            train_photos(photos, tmp_path / "run", "--epochs", "1")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file = tmp_path / "run" / "checkpoint.pt"
    assert ended.value.code == f"error: {file} cannot be written: File too large"


@pytest.mark.usefixtures("undrawn")
def test_without_a_version_no_model_is_replaced(
    finished_run: RunState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("training.cli.load", lambda *_: tiny_data())
    save_checkpoint(tmp_path, finished_run)
    for _ in range(2):
        main(["export", "--run", ".", "--no-int8", "--device", "cpu"])
    written = (tmp_path / "models" / "weights" / "tiny").iterdir()
    assert {folder.name: load_artifact(folder).metadata.version for folder in written} == {"1": "1", "2": "2"}
