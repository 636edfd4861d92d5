import io
import json
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from torch import Tensor

from models.artifact.robustness import Robustness
from models.artifact.save import save_artifact
from models.artifact.store import ArtifactError, ModelMetadata, load_artifact
from tests.support.small_model import CLASSES, DESCRIPTION, lenet, random_images
from training.data.cifar10 import ImageData, Split
from training.evaluation.conditions import CONDITIONS
from training.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from training.evaluation.robustness import measure_robustness, sample, show

QUIET = Console(file=io.StringIO())


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> ModelMetadata:
    folder = tmp_path_factory.mktemp("small") / "1"
    save_artifact(folder, lenet(), DESCRIPTION, {})
    return load_artifact(folder).metadata


def data() -> ImageData:
    split = Split(random_images(6), torch.zeros(6, dtype=torch.int64))
    return ImageData("noise", CLASSES, split, split, split, (0.5,) * 3, (0.25,) * 3, "0" * 64)


def constant(images: Tensor) -> Tensor:
    """Takes every picture for the first class."""
    return torch.eye(len(CLASSES))[torch.zeros(len(images), dtype=torch.int64)]


def by_first_pixel(images: Tensor) -> Tensor:
    """Another answer for nearly any other picture."""
    return torch.eye(len(CLASSES))[images[:, 0, 0, 0].long() % len(CLASSES)]


@pytest.fixture(scope="module")
def measured(metadata: ModelMetadata) -> Robustness:
    answers = {"constant": constant, "nervous": by_first_pixel}
    return measure_robustness(metadata, answers, data(), count=4, seed=3, console=QUIET)


def test_every_corruption_severity_and_condition_is_measured_by_every_engine(measured: Robustness) -> None:
    names = [(each.name, each.level) for each in measured.conditions]
    assert names == [(name, str(severity)) for name in CORRUPTIONS for severity in SEVERITIES] + [
        (each.name, each.level) for each in CONDITIONS
    ]
    assert measured.images == 4
    for each in measured.conditions:
        assert each.figures["constant"].accuracy == 1
        assert each.figures["constant"].changed == 0
    assert any(each.figures["nervous"].changed > 0.5 for each in measured.conditions)


def test_the_means_are_over_the_corruptions_alone(measured: Robustness) -> None:
    corrupted = [e.figures["nervous"].accuracy for e in measured.conditions if e.group == "corruption"]
    assert len(corrupted) == 75
    assert measured.mean_corrupted["nervous"] == pytest.approx(sum(corrupted) / 75)
    assert measured.mean_corrupted["constant"] == measured.clean["constant"] == 1


def test_json_holds_all_of_it_and_the_table_a_row_for_each_thing(measured: Robustness) -> None:
    text = measured.model_dump_json()
    assert Robustness.model_validate_json(text, strict=True) == measured
    assert json.loads(text)["tensors_sha256"] == measured.tensors_sha256
    output = io.StringIO()
    show(measured, Console(file=output, width=250))
    shown = output.getvalue()
    for name in {each.name for each in measured.conditions}:
        assert name in shown
    assert "15 corruptions at 5 severities, constant: 100.00% of 4 images each" in shown


def test_a_sample_is_the_same_for_a_seed_and_each_image_is_in_it_once() -> None:
    split = Split(torch.arange(50).view(50, 1, 1, 1), torch.arange(50))
    first = sample(split, 20, seed=0)
    assert torch.equal(first.labels, sample(split, 20, seed=0).labels)
    assert not torch.equal(first.labels, sample(split, 20, seed=1).labels)
    assert len(set(first.labels.tolist())) == 20
    assert torch.equal(first.images.flatten(), first.labels)
    assert sample(split, None, 0) is split
    with pytest.raises(ValueError, match="--images must be at most the 50 test images, got 51"):
        sample(split, 51, 0)


def test_other_classes_are_refused(metadata: ModelMetadata) -> None:
    with pytest.raises(ArtifactError, match="classes: the artifact knows"):
        measure_robustness(
            metadata, {}, replace(data(), classes=("x", "y")), count=None, seed=0, console=QUIET
        )
