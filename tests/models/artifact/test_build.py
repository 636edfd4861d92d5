"""The network of an artifact and the facts about it. What does not fit is refused in `test_store_damage`."""

from pathlib import Path

import pytest
import torch

from models import create_model
from models.artifact.build import build_network, describe_model, stored_type
from models.artifact.save import save_artifact
from models.artifact.store import ArtifactError, read_artifact
from models.augmentations import from_spec
from models.batch_norm.report import batch_norm_report
from models.features import last_linear
from models.summary import summarize
from models.training_augmentation import training_augmentation
from tests.support.artifacts import description, small_model
from tests.support.small_model import DESCRIPTION, lenet, random_images


def test_the_facts_are_those_of_the_network_and_the_recipe() -> None:
    model, about = small_model(), description()
    facts = describe_model(model, about)
    assert list(facts.layers) == summarize(model, (3, 32, 32))
    assert list(facts.batch_norms) == [layer.name for layer in batch_norm_report(model)]
    assert len(facts.batch_norms) == 4
    assert facts.features == last_linear(model).in_features
    assert not facts.class_activation
    assert facts.augmentation is not None
    assert from_spec(facts.augmentation) == training_augmentation(about.recipe)
    assert [each["name"] for each in facts.augmentation] == ["horizontal_flip", "random_crop"]


def test_a_network_that_ends_in_pooling_and_one_linear_layer_allows_maps() -> None:
    about = DESCRIPTION.model_copy(update={"architecture": "resnet18-3x3"})
    with torch.random.fork_rng():
        facts = describe_model(create_model("resnet18-3x3", 3).eval(), about)
    assert facts.class_activation
    assert facts.features == 512


def test_a_recipe_that_does_not_tell_has_no_augmentation() -> None:
    assert describe_model(lenet(), DESCRIPTION).augmentation is None


def test_an_image_size_that_the_network_cannot_take_is_refused(tmp_path: Path) -> None:
    about = DESCRIPTION.model_copy(update={"input_size": 8})
    with pytest.raises(ValueError, match="the network cannot take an input of 3×8×8"):
        describe_model(lenet(), about)
    with pytest.raises(ArtifactError, match=r"model\.safetensors: the network cannot take an input of 3×8×8"):
        save_artifact(tmp_path / "1", lenet(), about, {})
    assert not (tmp_path / "1").exists()


def test_to_describe_a_network_changes_and_computes_nothing_of_it() -> None:
    model = lenet()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    describe_model(model, DESCRIPTION)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(module.training or module._forward_pre_hooks for module in model.modules())


def test_the_network_is_built_of_tensors_of_its_own(tmp_path: Path) -> None:
    save_artifact(tmp_path / "1", lenet(), DESCRIPTION, {})
    artifact = read_artifact(tmp_path / "1")
    first, second = (build_network(artifact.tensors, DESCRIPTION, Path("x")) for _ in range(2))
    assert not any(module.training for module in first.modules())
    images = random_images(2).float() / 255
    with torch.no_grad():
        expected = second(images)
        for parameter in first.parameters():
            parameter.zero_()
        assert torch.equal(second(images), expected)
        assert torch.equal(build_network(artifact.tensors, DESCRIPTION, Path("x"))(images), expected)


@pytest.mark.parametrize(
    ("tensor", "stored"),
    [
        (torch.zeros(2, 3), "float16"),
        (torch.zeros(2, 3, 1, 1), "float16"),
        (torch.zeros(3), "float32"),
        (torch.zeros(()), "float32"),
        (torch.zeros((), dtype=torch.int64), "int64"),
    ],
)
def test_only_floating_point_tensors_of_two_dimensions_and_more_are_rounded(
    tensor: torch.Tensor, stored: str
) -> None:
    assert stored_type(tensor, DESCRIPTION) == stored
