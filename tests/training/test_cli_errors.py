"""What cannot be done as it was asked for is told in one line that names it, before any work."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.training.loop.test_checkpoint import state
from training.__main__ import main
from training.export import quantize
from training.loop.checkpoint import save_checkpoint


def error_of(arguments: Sequence[str]) -> str:
    """The one line that the command ends with."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, str)
    assert "\n" not in ended.value.code
    return ended.value.code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train", "--recipe", "lenet", "--data", "/nowhere"), "error: no intact CIFAR-10 in /nowhere"),
        (("export", "--run", "/nowhere"), "error: no checkpoint at /nowhere/checkpoint.pt"),
        (("evaluate", "--artifact", "/nowhere"), "error: "),
        (
            ("evaluate", "--artifact", "/nowhere", "--images", "9", "--out", "x"),
            "error: --out: only with --robustness",
        ),
        (
            ("evaluate", "--artifact", "/nowhere", "--robustness", "--others", "/"),
            "error: --others: only with --views",
        ),
        (("campaign", "--runs", "slow=5"), "error: runs must be RECIPE=SEEDS such as fast=5"),
        (("campaign", "--data", "/nowhere", "--device", "cpu"), "error: no intact CIFAR-10 in /nowhere"),
    ],
)
def test_what_is_missing_is_one_clear_line(arguments: tuple[str, ...], said: str) -> None:
    assert error_of(arguments).startswith(said)


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--recipe", "lenet", "--out", "FILE"),
        ("campaign", "--out", "FILE"),
        ("report", "--artifact", "models/weights/resnet18-cifar10/1", "--out", "FILE"),
    ],
)
def test_a_wrong_out_is_told_before_any_work(arguments: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    named = [str(tmp_path / "file") if each == "FILE" else each for each in arguments]
    said = error_of(named)
    assert said == f"error: --out: {tmp_path / 'file'} is a file, and must be a folder"


@pytest.mark.parametrize("arguments", [("export", "--run"), ("curves", "--out", "curves.png")])
def test_only_training_is_told_to_do_without_resume(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert error_of((*arguments, str(tmp_path))) == f"error: no checkpoint at {tmp_path / 'checkpoint.pt'}"


def test_a_campaign_has_no_use_for_images_of_ones_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    said = error_of(("campaign", "--data", str(tmp_path), "--device", "cpu"))
    assert said == f"error: --data: {tmp_path} holds your own images, and a campaign is of CIFAR-10 alone"
    assert "your own" not in error_of(("campaign", "--data", "/nowhere", "--device", "cpu"))
    assert "your own" in error_of(("train", "--recipe", "lenet", "--data", "/nowhere"))
    for command in ("campaign", "data"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        assert "sub-folder" not in capsys.readouterr().out


def test_int8_without_nncf_is_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, state())
    monkeypatch.setattr(quantize, "find_spec", lambda _: None)
    said = error_of(["export", "--run", str(tmp_path), "--data", str(tmp_path)])
    assert "pip install nncf, or export with --no-int8" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("train",), "the following arguments are required: --recipe"),
        (("train", "--recipe", "vgg"), "choose from"),
        (("train", "--recipe", "lenet", "--epochs", "0"), "argument --epochs: must be in 1..1000000, got 0"),
        (
            ("train", "--recipe", "lenet", "--data", ""),
            "argument --data: must be the path of a folder, got an empty text",
        ),
        (
            ("evaluate", "--artifact", "a", "--robustness", "--views"),
            "argument --views: not allowed with argument --robustness",
        ),
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
