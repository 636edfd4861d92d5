import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.artifact.robustness import load_robustness
from models.artifact.store import load_artifact
from tests.support.robustness import made_up
from tests.support.tiny_run import tiny_data
from tests.training.conftest import QUIET
from training.__main__ import main
from training.cli_robustness import add_robustness
from training.data.cifar10 import Split
from training.evaluation.corruptions import corrupt
from training.evaluation.engines import engine_logits, load_engine
from training.evaluation.evaluate import accuracy
from training.evaluation.robustness import sample
from training.export.calibrate import calibrate_artifact
from training.export.robustness import keep_robustness, measure_artifact
from training.report.files import write_report

CPU = torch.device("cpu")


@pytest.fixture
def artifact(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "tiny" / "1"))


def test_float32_and_int8_are_measured_each_by_its_own_network(exported: Path) -> None:
    loaded, data = load_artifact(exported), tiny_data()
    robustness = measure_artifact(loaded, "openvino", data, CPU, count=6, seed=1, console=QUIET)
    images = sample(data.test, 6, 1)
    corrupted = corrupt(images.images, "fog", 3, 1)
    (fog,) = [each for each in robustness.conditions if (each.name, each.level) == ("fog", "3")]
    assert list(robustness.clean) == ["float32", "int8"]
    for precision, choice in (("float32", "openvino"), ("int8", "int8")):
        engine = load_engine(loaded, choice, CPU)
        expected = accuracy(engine_logits(engine, corrupted), images.labels)
        assert fog.figures[precision].accuracy == expected


def test_kept_figures_are_in_card_plots_and_report_and_outlive_calibration(
    artifact: Path, tmp_path: Path
) -> None:
    before = load_artifact(artifact).metadata
    stored = made_up(before)
    keep_robustness(artifact, stored)
    after = load_artifact(artifact).metadata
    assert after.tensors_sha256 == before.tensors_sha256
    assert after.files.keys() - before.files.keys() == {"robustness.json", "robustness.png", "robustness.svg"}
    card = (artifact / "card.md").read_text(encoding="utf-8")
    assert "1,234 test images" in card

    written = {path.name: path.read_bytes() for path in write_report(artifact, tmp_path / "report")}
    assert written["card.md"].decode() == card
    assert written["robustness.png"] == (artifact / "robustness.png").read_bytes()
    assert b"1,234 test images" in written["report.html"]

    calibrate_artifact(artifact, tiny_data(), CPU, QUIET)
    assert load_robustness(artifact, load_artifact(artifact).metadata) == stored
    assert "1,234 test images" in (artifact / "card.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("undrawn")
def test_export_measures_at_most_all_test_images(artifact: Path) -> None:
    data = tiny_data()
    few = replace(data, test=Split(data.test.images[:4], data.test.labels[:4]))
    add_robustness(artifact, few, CPU, 1000, QUIET)
    robustness = load_robustness(artifact, load_artifact(artifact).metadata)
    assert robustness is not None
    assert robustness.images == len(few.test)


@pytest.mark.usefixtures("undrawn")
def test_the_command_prints_keeps_and_writes_what_it_is_asked_for(
    artifact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.cli_robustness.load_test", lambda *_: tiny_data())
    monkeypatch.setenv("COLUMNS", "200")
    command = ["evaluate", "--artifact", str(artifact), "--device", "cpu", "--engine", "openvino"]
    before = load_artifact(artifact).metadata
    main([*command, "--robustness", "--images", "3", "--json"])
    assert json.loads(capsys.readouterr().out)["images"] == 3
    assert load_artifact(artifact).metadata == before

    out = tmp_path / "figures"
    main([*command, "--robustness", "--images", "4", "--save", "--out", str(out)])
    assert "of 4 images each" in capsys.readouterr().out
    kept = load_robustness(artifact, load_artifact(artifact).metadata)
    assert kept is not None
    assert kept.images == 4
    assert (out / "robustness.json").read_bytes() == (artifact / "robustness.json").read_bytes()

    for wrong in (["--save"], ["--views", "--save"]):
        with pytest.raises(SystemExit, match="--save: only with --robustness"):
            main([*command, *wrong])


def test_figures_of_another_data_set_are_not_kept(
    artifact: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = replace(tiny_data(), sha256="0" * 64)
    monkeypatch.setattr("training.cli_robustness.load_test", lambda *_: other)
    command = ["evaluate", "--artifact", str(artifact), "--robustness", "--images", "2", "--device", "cpu"]
    with pytest.raises(SystemExit, match="--data: must be what tiny 1 was trained on, tiny, and is another"):
        main([*command, "--save"])
    with pytest.raises(SystemExit, match="--test: not with --save"):
        main([*command, "--save", "--test", str(artifact)])
    assert not (artifact / "robustness.json").exists()
    main(command)
    assert "the data set is not the one that the artifact was trained on" in capsys.readouterr().err
