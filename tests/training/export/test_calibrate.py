import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.artifact.detector import load_detector
from models.artifact.reference import load_reference, measure_reference
from models.artifact.report import load_report
from models.artifact.store import ArtifactError, load_artifact
from tests.support.tiny_run import tiny_data
from tests.training.conftest import QUIET
from training.__main__ import main
from training.data.cifar10 import Split
from training.evaluation.corruptions.mix import corrupted_mix
from training.evaluation.engines import engine_logits, load_engine
from training.evaluation.evaluate import evaluate, fit_temperature
from training.evaluation.outputs import answer_of_engine
from training.export.calibrate import calibrate_artifact

CPU = torch.device("cpu")


@pytest.mark.parametrize(("engine", "precision"), [("openvino", "float32"), ("int8", "int8")])
def test_each_network_is_fitted_to_its_own_answers(exported: Path, engine: str, precision: str) -> None:
    artifact, data = load_artifact(exported), tiny_data()
    about = artifact.metadata
    own = load_engine(artifact, engine, CPU)
    images = torch.cat([data.held_out.images, corrupted_mix(data.held_out.images)])
    logits = engine_logits(own, images)
    expected = fit_temperature(logits, data.held_out.labels.repeat(2))
    assert about.temperature_of(precision) == pytest.approx(expected, rel=1e-2)
    assert about.int8 is not None
    calibration = about.int8.calibration if precision == "int8" else about.calibration
    assert calibration is not None
    assert (calibration.held_out_images, calibration.corrupted_images, calibration.test_images) == (
        12,
        12,
        30,
    )
    corrupted = engine_logits(own, corrupted_mix(data.test.images))
    again = evaluate(corrupted, data.test.labels, data.classes, about.temperature_of(precision))
    assert calibration.accuracy == pytest.approx(again.accuracy, abs=0.04)
    assert calibration.expected_calibration_error == pytest.approx(again.expected_calibration_error, abs=0.02)
    detector = load_detector(artifact, precision)
    assert detector is not None
    of_held_out = detector.unfamiliarity(*answer_of_engine(own)(data.held_out.images))
    # Of twelve, the strangest one is the threshold, give or take the rounding of another computation.
    assert 0.92 < of_held_out.max() < 0.96


@pytest.mark.usefixtures("undrawn")
def test_an_artifact_is_calibrated_anew_and_all_else_stays(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tiny" / "1"
    shutil.copytree(exported, folder)
    (folder / "notes.txt").write_text("mine")
    before = load_artifact(folder)
    monkeypatch.setattr("training.cli.load", lambda *_: tiny_data())
    monkeypatch.setattr("training.export.calibrate.fit_temperature", lambda *_: 1.25)
    main(["calibrate", "--artifact", str(folder), "--device", "cpu"])
    after = load_artifact(folder)
    assert after.metadata.int8 is not None
    assert (after.metadata.temperature, after.metadata.int8.temperature) == (1.25, 1.25)
    assert after.metadata.tensors_sha256 == before.metadata.tensors_sha256
    for name in ("golden.safetensors", "int8.xml", "int8.bin", "unfamiliarity-int8.safetensors"):
        assert after.metadata.files[name] == before.metadata.files[name]
    assert after.metadata.metrics.accuracy == before.metadata.metrics.accuracy
    assert after.metadata.metrics.negative_log_likelihood != before.metadata.metrics.negative_log_likelihood
    assert (folder / "notes.txt").read_text() == "mine"
    confidence = load_reference(folder, before.metadata.classes).confidence
    assert confidence != load_reference(exported, before.metadata.classes).confidence
    data = tiny_data()
    answer = answer_of_engine(load_engine(after, "openvino", CPU))(data.held_out.images)
    of_these = measure_reference(data.held_out.images.numpy(), answer.logits, data.classes, 1.25)
    assert confidence == of_these.confidence
    report = load_report(folder)
    assert report.evaluation.negative_log_likelihood == after.metadata.metrics.negative_log_likelihood
    assert report.history == load_report(exported).history
    assert "at temperature\n1.25" in (folder / "card.md").read_text(encoding="utf-8")


def test_other_data_are_refused(exported: Path) -> None:
    data = tiny_data()
    with pytest.raises(
        ArtifactError, match="--data: must be what tiny 1 was trained on, tiny, and is another data set"
    ):
        calibrate_artifact(exported, replace(data, sha256="1" * 64), CPU, QUIET)
    nothing = Split(data.held_out.images[:0], data.held_out.labels[:0])
    with pytest.raises(ArtifactError, match="without a validation set"):
        calibrate_artifact(exported, replace(data, held_out=nothing), CPU, QUIET)
