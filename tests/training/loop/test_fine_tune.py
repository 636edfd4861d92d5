from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.artifact.golden import GOLDEN_FILE
from models.artifact.save import save_artifact
from models.artifact.store import load_artifact
from models.preprocessing.transform import Preprocessing
from tests.support.small_model import CLASSES, DESCRIPTION, lenet, random_images
from tests.support.tiny_run import RECIPE, tiny_data
from training.export.golden import make_golden
from training.loop.build_model import build_model
from training.loop.checkpoint import CheckpointError
from training.loop.fine_tune import BUNDLED, InitError, identity, load_initial, start_from
from training.loop.train import Interrupted, train


@pytest.fixture(scope="module")
def artifact_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("artifact") / "1"
    model = lenet()
    golden = make_golden(model, Preprocessing.from_metadata(DESCRIPTION), random_images(2))
    save_artifact(folder, model, DESCRIPTION, {GOLDEN_FILE: golden})
    return folder


def test_other_classes_take_all_but_the_classifier(artifact_folder: Path) -> None:
    artifact, data = load_initial(str(artifact_folder)), tiny_data()
    model, untouched = build_model(RECIPE, data, 0), build_model(RECIPE, data, 0).state_dict()
    start_from(model, artifact, RECIPE, data)
    given = artifact.model.state_dict()
    own = [name for name, value in model.state_dict().items() if not value.equal(given[name])]
    last = next(reversed([name for name in given if name.endswith(".weight")])).removesuffix(".weight")
    assert own == [f"{last}.weight", f"{last}.bias"]
    assert all(model.state_dict()[name].equal(untouched[name]) for name in own)


def test_the_same_classes_take_the_classifier_too(artifact_folder: Path) -> None:
    artifact, data = load_initial(str(artifact_folder)), replace(tiny_data(), classes=CLASSES)
    model = build_model(RECIPE, data, 0)
    start_from(model, artifact, RECIPE, data)
    for name, value in model.state_dict().items():
        assert value.equal(artifact.model.state_dict()[name]), name


def test_classes_in_another_order_are_other_classes(artifact_folder: Path) -> None:
    artifact, data = load_initial(str(artifact_folder)), replace(tiny_data(), classes=CLASSES[::-1])
    model = build_model(RECIPE, data, 0)
    start_from(model, artifact, RECIPE, data)
    given = artifact.model.state_dict()
    assert any(not value.equal(given[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("architecture", "channels", "message"),
    [
        ("resnet18-3x3", 3, "architecture is lenet, but the recipe needs resnet18-3x3"),
        ("lenet", 1, "in_channels is 3, but the recipe needs 1"),
    ],
)
def test_an_artifact_that_does_not_fit_is_refused_by_field(
    artifact_folder: Path, architecture: str, channels: int, message: str
) -> None:
    data, recipe = tiny_data(), RECIPE.changed(architecture=architecture)
    data = replace(data, train=replace(data.train, images=data.train.images[:, :channels]))
    with pytest.raises(InitError, match=message):
        start_from(build_model(RECIPE, tiny_data(), 0), load_initial(str(artifact_folder)), recipe, data)


def test_the_bundled_artifact_is_known_by_a_word() -> None:
    artifact = load_initial(BUNDLED)
    assert artifact.metadata.name == "resnet18-cifar10"
    assert identity(artifact).startswith("resnet18-cifar10/1 ")
    with pytest.raises(InitError, match=r"^--init: no such folder/model\.safetensors: the file is missing"):
        load_initial("no such folder")


def test_a_run_starts_from_it_and_is_resumed_only_with_it(artifact_folder: Path, tmp_path: Path) -> None:
    artifact, data = load_artifact(artifact_folder), tiny_data()
    recipe = RECIPE.changed(init=identity(artifact), ema_decay=None)
    steps = iter((False, True))
    with pytest.raises(Interrupted):
        train(recipe, data, tmp_path / "a", initial=artifact, stopping=lambda: next(steps))
    resumed = train(recipe, data, tmp_path / "a", resume=True, initial=artifact)
    whole = train(recipe, data, tmp_path / "b", initial=artifact)
    for name, value in whole.result.items():
        torch.testing.assert_close(resumed.result[name], value, msg=name)
    other = train(recipe.changed(init=None), data, tmp_path / "c")
    assert any(not other.result[name].equal(value) for name, value in whole.result.items())
    with pytest.raises(CheckpointError, match="init"):
        train(recipe.changed(init=None), data, tmp_path / "a", resume=True)
