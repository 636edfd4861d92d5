import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from models.artifact.store import load_artifact
from tests.support.tiny_run import tiny_data
from training.__main__ import main
from training.data.cifar10 import Split
from training.evaluation.engines import engine_logits, load_engine
from training.evaluation.evaluate import evaluate
from training.evaluation.views import measure_views, show


def test_one_view_is_what_evaluate_measures_and_more_cost_more(exported: Path) -> None:
    artifact, data = load_artifact(exported), tiny_data()
    engine = load_engine(artifact, "openvino", torch.device("cpu"))
    others = torch.randint(256, (9, 3, 20, 20)).to(torch.uint8)
    gains = measure_views(artifact, engine, data, others, count=20, seed=0)
    assert [each.views for each in gains] == [1, 2, 3, 4]
    assert all(0 <= each.auroc <= 1 for each in gains if each.auroc is not None)
    costs = [each.milliseconds_per_image for each in gains]
    assert costs == pytest.approx([views * costs[0] for views in (1, 2, 3, 4)])
    whole = measure_views(artifact, engine, data, None, count=None, seed=0)
    logits = engine_logits(engine, data.test.images)
    expected = evaluate(logits, data.test.labels, data.classes, artifact.metadata.temperature)
    assert whole[0].accuracy == expected.accuracy
    assert whole[0].calibration_error == pytest.approx(expected.expected_calibration_error, abs=1e-3)
    assert whole[0].auroc is None
    console = Console(record=True, width=120)
    show(gains, console)
    assert f"{gains[3].corrupted_accuracy:.2%}" in console.export_text()


def test_without_a_right_answer_there_is_no_area(exported: Path) -> None:
    artifact, data = load_artifact(exported), tiny_data()
    engine = load_engine(artifact, "openvino", torch.device("cpu"))
    answers = engine_logits(engine, data.test.images).argmax(1)
    wrong = replace(data, test=Split(data.test.images, (answers + 1) % 3))
    first, *_ = measure_views(artifact, engine, wrong, data.test.images, count=None, seed=0)
    assert (first.accuracy, first.auroc) == (0, None)


def test_the_command_prints_them(
    exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.cli.load_test", lambda *_: tiny_data())
    command = ["evaluate", "--artifact", str(exported), "--device", "cpu"]
    main([*command, "--views", "--images", "8", "--json"])
    printed = capsys.readouterr()
    assert [each["views"] for each in json.loads(printed.out)] == [1, 2, 3, 4]
    assert printed.err == ""
    monkeypatch.setattr("training.cli.load_test", lambda *_: replace(tiny_data(), sha256="0" * 64))
    main([*command, "--views", "--images", "8", "--json"])
    assert capsys.readouterr().err == "the data set is not the one that the artifact was trained on\n"
    for wrong, message in (
        (["--views", "--out", "x"], "--out: only with --robustness"),
        (["--others", "/"], "--others: only with --views"),
        (["--images", "8"], "--images: only with --robustness or --views"),
    ):
        with pytest.raises(SystemExit, match=message):
            main([*command, *wrong])
