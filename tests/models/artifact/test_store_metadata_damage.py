"""Metadata that contradict the tensors, their own digest or their ranges: each stops the load."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.artifact.save import seal_artifact
from models.artifact.store import (
    DIGEST_KEY,
    ArtifactError,
    load_artifact,
    read_metadata,
)
from tests.support.damaged_artifact import change, refusal


def test_fewer_classes_than_the_classifier_has_are_refused(folder: Path) -> None:
    def drop_a_class(metadata: dict[str, Any], _: dict[str, Tensor]) -> None:
        metadata["classes"].remove("frog")
        for metrics in (metadata["metrics"], metadata["int8"]["metrics"]):
            del metrics["per_class_accuracy"]["frog"]

    change(folder, drop_a_class)
    assert refusal(folder).endswith("has shape (3,), lenet with 2 classes and 3 input channels needs (2,)")


def test_another_architecture_is_refused(folder: Path) -> None:
    change(folder, lambda metadata, _: metadata.update(architecture="resnet18"))
    assert refusal(folder).startswith("model.safetensors: tensors missing for resnet18 with 3 classes and")


def test_another_number_of_input_channels_is_refused(folder: Path) -> None:
    change(folder, lambda metadata, _: metadata.update(in_channels=1, mean=[0.5], std=[0.5]))
    assert refusal(folder) == (
        "model.safetensors: tensor features.0.weight has shape (6, 3, 5, 5), "
        "lenet with 3 classes and 1 input channels needs (6, 1, 5, 5)"
    )


def _swap_two_classes(metadata: dict[str, Any], _: dict[str, Tensor]) -> None:
    metadata["classes"][:2] = reversed(metadata["classes"][:2])


@pytest.mark.parametrize(
    "edit",
    [
        _swap_two_classes,
        lambda metadata, _: metadata.update(temperature=1.25),
        lambda metadata, _: metadata["recipe"].update(optimizer="adam"),
        lambda metadata, _: metadata["metrics"].update(accuracy=0.76),
        lambda metadata, _: metadata["files"].pop("card.md"),
    ],
)
def test_one_changed_field_is_refused(
    folder: Path, edit: Callable[[dict[str, Any], dict[str, Tensor]], object]
) -> None:
    change(folder, edit, is_sealed=False)
    expected = "model.safetensors: the metadata do not have the digest that metadata_sha256 states"
    assert refusal(folder) == expected
    with pytest.raises(ArtifactError, match="metadata_sha256"):
        read_metadata(folder)
    with pytest.raises(ArtifactError, match="metadata_sha256"):
        seal_artifact(folder)


def test_the_order_of_fields_and_white_space_are_no_change(folder: Path) -> None:
    before = load_artifact(folder).metadata

    def turn_around(metadata: dict[str, Any], _: dict[str, Tensor]) -> None:
        for name in reversed(list(metadata)):
            metadata[name] = metadata.pop(name)

    change(folder, turn_around, is_sealed=False)
    assert load_artifact(folder).metadata == before


def test_metadata_without_a_digest_are_refused_until_they_are_sealed(folder: Path) -> None:
    before = load_artifact(folder)
    change(folder, lambda metadata, _: metadata.pop(DIGEST_KEY), is_sealed=False)
    assert refusal(folder).startswith(
        "model.safetensors: metadata field metadata_sha256 is missing; `python -m"
    )
    assert seal_artifact(folder) == before.metadata
    after = load_artifact(folder)
    assert after.metadata == before.metadata
    for name, tensor in before.model.state_dict().items():
        assert torch.equal(tensor, after.model.state_dict()[name])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 1e-300),
        ("temperature", 1e300),
        ("input_size", 100_000),
        ("mean", [0.5, 0.5, 1e30]),
        ("std", [0.25, 0.25, 1e-30]),
        ("std", [0.25, 0.25, 1e30]),
        ("classes", ["cat", "cat", "dog"]),
        ("classes", ["cat", "dog", "x" * 201]),
        ("version", "1" * 101),
        ("training_seconds", 1e300),
    ],
)
def test_a_value_out_of_its_range_is_refused_whatever_the_digest(
    folder: Path, field: str, value: object
) -> None:
    change(folder, lambda metadata, _: metadata.update({field: value}))
    assert f"metadata field {field}" in refusal(folder)
