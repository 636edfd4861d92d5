import json
import shutil
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models.artifact.golden import check_golden
from models.artifact.reference import load_reference, measure_reference
from models.artifact.store import ArtifactError, load_artifact
from models.preprocessing.transform import Preprocessing
from tests.support.tiny_run import RECIPE, tiny_data
from tests.training.conftest import QUIET, leave_plots_undrawn
from training.data.cifar10 import Split
from training.evaluation.engines import engine_logits, load_engine
from training.evaluation.evaluate import accuracy, evaluate, predict
from training.export import export
from training.export.calibrate import metrics
from training.export.export import choose_weights_dtype, export_run, require_equal_weights
from training.loop.checkpoint import CheckpointError, RunState, load_checkpoint
from training.loop.train import Interrupted, train


def test_the_artifact_describes_the_run(finished_run: RunState, exported: Path) -> None:
    metadata, data = load_artifact(exported).metadata, tiny_data()
    assert metadata.architecture == RECIPE.architecture
    assert metadata.classes == data.classes
    assert metadata.input_size == 20
    assert (metadata.mean, metadata.std) == (data.mean, data.std)
    assert metadata.recipe == json.loads(json.dumps({**RECIPE.to_json(), "seed": 0}))
    assert metadata.dataset.sha256 == data.sha256
    assert (
        metadata.dataset.train_images,
        metadata.dataset.held_out_images,
        metadata.dataset.test_images,
    ) == (48, 12, 30)
    assert metadata.training_seconds == pytest.approx(finished_run.seconds, abs=0.06)
    assert metadata.library_versions["torch"] == installed_version("torch")


def test_the_figures_are_those_of_the_stored_weights(exported: Path) -> None:
    artifact, data = load_artifact(exported), tiny_data()
    logits = predict(artifact.model, data.test.images, Preprocessing.from_metadata(artifact.metadata))
    again = evaluate(logits, data.test.labels, data.classes, artifact.metadata.temperature)
    assert again.accuracy == artifact.metadata.metrics.accuracy
    assert again.per_class_accuracy == artifact.metadata.metrics.per_class_accuracy
    assert again.negative_log_likelihood == pytest.approx(
        artifact.metadata.metrics.negative_log_likelihood, rel=1e-4
    )
    assert artifact.metadata.temperature != 1.0


def test_the_golden_tensors_are_reproduced(exported: Path) -> None:
    artifact = load_artifact(exported)
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    check_golden(
        exported,
        lambda images: predict(artifact.model, torch.from_numpy(images), preprocessing).numpy(),
        tolerance=1e-4,
    )


def test_the_int8_network_is_described_and_reproduces_its_figures(exported: Path) -> None:
    artifact, data = load_artifact(exported), tiny_data()
    metadata, preprocessing = artifact.metadata, Preprocessing.from_metadata(artifact.metadata)
    engine = load_engine(artifact, "int8", torch.device("cpu"))
    int8 = metadata.int8
    assert int8 is not None
    assert (int8.calibration_images, int8.held_out_images) == (48, 12)
    held_out = engine_logits(engine, data.held_out.images)
    assert int8.held_out_accuracy == accuracy(held_out, data.held_out.labels)
    float32 = predict(load_artifact(exported).model, data.held_out.images, preprocessing)
    assert int8.held_out_accuracy_float32 == accuracy(float32, data.held_out.labels)
    logits = engine_logits(engine, data.test.images)
    assert int8.metrics == metrics(
        evaluate(logits, data.test.labels, data.classes, metadata.temperature_of("int8"))
    )
    check_golden(exported, engine.predict, tolerance=1e-4, expected="int8_logits")


@pytest.fixture(scope="module")
def without_int8(finished_run: RunState, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artifact of a run that was given more epochs, exported with no int8 where there is no NNCF."""

    def version(name: str) -> str:
        if name == "nncf":
            raise PackageNotFoundError(name)
        return installed_version(name)

    folder = tmp_path_factory.mktemp("without") / "a"
    state = replace(finished_run, extended_after=[1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "installed_version", version)
        patch.setitem(sys.modules, "nncf", None)
        leave_plots_undrawn(patch)
        export_run(state, tiny_data(), folder, name="x", version="1", console=QUIET, with_int8=False)
    return folder


def test_int8_can_be_left_out(without_int8: Path) -> None:
    metadata = load_artifact(without_int8).metadata
    assert metadata.int8 is None
    assert "int8.xml" not in metadata.files
    assert {"float32.xml", "float32.bin"} <= metadata.files.keys()


def test_without_nncf_a_run_is_exported_with_no_int8(without_int8: Path) -> None:
    assert "nncf" not in load_artifact(without_int8).metadata.library_versions


def test_an_artifact_tells_that_its_run_was_given_more_epochs(without_int8: Path) -> None:
    assert load_artifact(without_int8).metadata.recipe["extended_after"] == [1]


@pytest.mark.usefixtures("undrawn")
def test_an_artifact_that_is_not_proven_leaves_the_old_one(
    finished_run: RunState, without_int8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(without_int8, tmp_path / "a"))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    seen: list[Path] = []

    def fail(fresh: Path, *_: object) -> None:
        seen.append(fresh)
        assert load_artifact(fresh).metadata.version == "2"
        raise ArtifactError("golden logits differ")

    monkeypatch.setattr(export, "check_golden", fail)
    with pytest.raises(ArtifactError, match="golden logits differ"):
        export_run(finished_run, tiny_data(), folder, name="x", version="2", console=QUIET, with_int8=False)
    assert len(seen) == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(tmp_path.iterdir()) == [folder]


class TieInFloat16(nn.Module):
    """Two classes told apart by the sign of one pixel, and by a digit that float16 does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(1, 2, bias=False)
        with torch.no_grad():
            self.classifier.weight.copy_(torch.tensor([[1.0001], [1.0]]))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(images.flatten(1))
        return logits


@pytest.mark.parametrize(
    ("pixel", "label", "chosen"),
    [(255, 0, "float16"), (0, 0, "float16"), (0, 1, "float32"), (None, 0, "float32")],
)
def test_how_weights_are_stored_is_chosen_on_the_validation_set(
    pixel: int | None, label: int, chosen: str
) -> None:
    """Rounded, the network takes every image for the first class, and is wrong on those of the second."""
    count = 0 if pixel is None else 10
    images = torch.full((count, 1, 1, 1), pixel or 0, dtype=torch.uint8)
    validation = Split(images, torch.full((count,), label))
    preprocessing = Preprocessing(
        input_size=1, in_channels=1, interpolation="bilinear", mean=(0.5,), std=(0.5,)
    )
    model = TieInFloat16().eval()
    dtype, logits = choose_weights_dtype(model, validation, preprocessing, QUIET)
    assert dtype == chosen
    rounded = model.classifier.weight[0, 0].item() == 1.0
    assert rounded == (chosen == "float16")
    torch.testing.assert_close(logits, predict(model, images, preprocessing), rtol=0, atol=0)


PLOTS = ("training", "confusion", "calibration", "mistakes", "augmentation")


def test_the_artifact_holds_card_report_and_plots(exported: Path) -> None:
    files = {path.name for path in exported.iterdir()}
    plots = {f"{name}.{kind}" for name in PLOTS for kind in ("png", "svg")}
    int8 = {"int8.xml", "int8.bin"}
    described = {"facts.json", "report.json", "reference.json", "card.md"}
    detectors = {"unfamiliarity.safetensors", "unfamiliarity-int8.safetensors"}
    assert files == {"model.safetensors", "golden.safetensors"} | described | detectors | int8 | plots
    assert load_artifact(exported).metadata.files.keys() == files - {"model.safetensors"}


def test_the_reference_is_of_the_validation_images(exported: Path) -> None:
    artifact, data = load_artifact(exported), tiny_data()
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    logits = predict(artifact.model, data.held_out.images, preprocessing)
    expected = measure_reference(
        data.held_out.images.numpy(), logits.numpy(), data.classes, artifact.metadata.temperature
    )
    assert load_reference(exported, data.classes) == expected


def test_a_reference_is_not_measured_on_few_images(without_int8: Path) -> None:
    assert load_artifact(without_int8).metadata.dataset.held_out_images == 12
    assert not (without_int8 / "reference.json").exists()


@pytest.mark.usefixtures("undrawn")
def test_without_a_validation_set_the_temperature_is_one_and_there_is_no_int8(tmp_path: Path) -> None:
    recipe = RECIPE.with_epochs(1).changed(held_out=0)
    data = replace(
        tiny_data(),
        held_out=replace(tiny_data().held_out, images=torch.empty(0, 3, 20, 20), labels=torch.empty(0)),
    )
    state = train(recipe, data, tmp_path / "run")
    export_run(state, data, tmp_path / "artifact", name="x", version="1", console=QUIET)
    metadata = load_artifact(tmp_path / "artifact").metadata
    assert (metadata.temperature, metadata.int8) == (1.0, None)


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(RECIPE, tiny_data(), tmp_path, stopping=lambda: True)
    with pytest.raises(CheckpointError, match="0 of 3 epochs: go on with train --resume"):
        export_run(
            load_checkpoint(tmp_path), tiny_data(), tmp_path / "a", name="x", version="1", console=QUIET
        )


def test_another_data_set_is_refused(finished_run: RunState, tmp_path: Path) -> None:
    other = replace(tiny_data(), sha256="other")
    with pytest.raises(CheckpointError, match="another data set than the one given by --data"):
        export_run(finished_run, other, tmp_path / "a", name="x", version="1", console=QUIET)


def test_weights_that_are_not_the_measured_ones_are_noticed(exported: Path) -> None:
    measured, stored = load_artifact(exported).model, load_artifact(exported).model
    require_equal_weights(measured, stored)
    with torch.no_grad():
        next(stored.parameters()).view(-1)[0] += 1
    with pytest.raises(ArtifactError, match=r"features\.0\.weight is not the one that was measured"):
        require_equal_weights(measured, stored)
