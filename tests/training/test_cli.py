import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.artifact.store import load_artifact
from training.__main__ import main
from training.loop.checkpoint import load_checkpoint

PROGRAM = [sys.executable, "-m", "training"]


def run(*arguments: object, status: int = 0) -> str:
    """Run the program, require its exit status, and give back what it printed."""
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def test_from_the_data_to_a_report(cifar10_folder: Path, tmp_path: Path) -> None:
    """train, export, evaluate and report, as a user runs them, on the real data set."""
    out, artifact = tmp_path / "run", tmp_path / "artifact"
    shown = run(
        "train", "--recipe", "lenet", "--epochs", 1, "--data", cifar10_folder, "--out", out, "--device", "cpu"
    )
    assert "epoch   1  32 px" in shown
    assert f"python -m training export --run {out}" in shown
    assert {path.name for path in out.iterdir()} == {
        "checkpoint.pt",
        "tensorboard",
        "training.png",
        "training.svg",
    }

    refused = run(
        "train", "--recipe", "lenet", "--epochs", 1, "--data", cifar10_folder, "--out", out, status=1
    )
    assert (
        refused.strip()
        == f"error: {out} already holds a run: add --resume to go on with it, or choose another --out"
    )

    run(
        "export",
        "--run",
        out,
        "--out",
        artifact,
        "--data",
        cifar10_folder,
        "--name",
        "small",
        "--version",
        "7",
    )
    metadata = load_artifact(artifact).metadata
    assert (metadata.name, metadata.version) == ("small", "7")
    assert metadata.metrics.accuracy > 0.35

    measured = run("evaluate", "--artifact", artifact, "--data", cifar10_folder, "--device", "cpu")
    assert f"accuracy {metadata.metrics.accuracy:.2%} on 10,000 test images, torch" in measured
    assert metadata.int8 is not None
    measured = run("evaluate", "--artifact", artifact, "--data", cifar10_folder, "--engine", "int8")
    assert f"accuracy {metadata.int8.metrics.accuracy:.2%} on 10,000 test images, int8" in measured

    written = run("report", "--artifact", artifact, "--out", tmp_path / "report").split()
    assert str(tmp_path / "report" / "card.md") in written
    assert json.loads((artifact / "report.json").read_text(encoding="utf-8"))["history"][0]["epoch"] == 1


def test_ctrl_c_saves_and_says_how_to_go_on(cifar10_folder: Path, tmp_path: Path) -> None:
    arguments = [
        "train",
        "--recipe",
        "lenet",
        "--data",
        str(cifar10_folder),
        "--out",
        str(tmp_path),
        "--epochs",
        "1",
    ]
    process = subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 120
        while not (tmp_path / "tensorboard").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        shown, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    command = re.search(r"go on with:\s+python -m training (.*)", shown.replace("\n", " "))
    assert command is not None, shown
    assert command.group(1).split() == [*arguments, "--resume"]
    stopped = load_checkpoint(tmp_path)
    assert stopped.epoch == 0
    assert 0 < stopped.step < 351

    run(*arguments, "--resume")
    assert load_checkpoint(tmp_path).epoch == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "--recipe", "lenet", "--data", "/nowhere"), "error: no intact CIFAR-10 in /nowhere"),
        (("export", "--run", "/nowhere"), "error: no checkpoint at /nowhere/checkpoint.pt"),
        (("evaluate", "--artifact", "/nowhere"), "error: "),
        (("campaign", "--runs", "slow=5"), "error: runs must be RECIPE=SEEDS such as fast=5"),
        (("campaign", "--data", "/nowhere", "--device", "cpu"), "error: no intact CIFAR-10 in /nowhere"),
    ],
)
def test_what_is_missing_is_one_clear_line(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, str)
    assert ended.value.code.startswith(said)
    assert "\n" not in ended.value.code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train",), "the following arguments are required: --recipe"),
        (("train", "--recipe", "vgg"), "choose from"),
        (("train", "--recipe", "lenet", "--epochs", "0"), "argument --epochs: must be at least 1, got 0"),
        ((), "the following arguments are required: command"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
