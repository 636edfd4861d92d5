"""A damaged or contradictory artifact: each fault stops the load with its own sentence."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.artifact.save import save_artifact, seal_artifact
from models.artifact.store import (
    DIGEST_KEY,
    HEADER_KEY,
    MODEL_FILE,
    ArtifactError,
    digest_metadata,
    load_artifact,
    read_artifact,
    read_metadata,
)
from models.artifact.tensors import digest_tensors, read_tensors
from tests.support.small_model import INT8_FILES, WITH_INT8, lenet

FILES = {"card.md": b"# A small model\n", "report.json": b"{}", **INT8_FILES}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "1"
    save_artifact(folder, lenet(), WITH_INT8, FILES)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A stored model that the test may damage."""
    return shutil.copytree(original, tmp_path / "small" / "1")


def change(
    folder: Path,
    edit: Callable[[dict[str, Any], dict[str, Tensor]], object],
    *,
    is_sealed: bool = True,
    is_digested: bool = False,
) -> None:
    """Rewrite the stored metadata and tensors after `edit`, which changes them in place.

    With `is_sealed` the metadata get the digest that fits, so that only other contradictions are left, and
    with `is_digested` they state the digest of the tensors that are there.
    """
    file = folder / MODEL_FILE
    with safe_open(file, framework="pt") as opened:
        metadata = json.loads(opened.metadata()[HEADER_KEY])
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    edit(metadata, tensors)
    if is_digested:
        save_file(tensors, file)
        metadata["tensors_sha256"] = digest_tensors(read_tensors(file))
    if is_sealed:
        metadata[DIGEST_KEY] = digest_metadata(metadata)
    save_file(tensors, file, metadata={HEADER_KEY: json.dumps(metadata)})


def refusal(folder: Path) -> str:
    """The one sentence with which the load is refused, without the folder's name."""
    with pytest.raises(ArtifactError) as refused:
        load_artifact(folder)
    message = str(refused.value)
    assert "\n" not in message
    return message.removeprefix(f"{folder}/")


# Damaged files


def test_a_missing_model_file_is_refused(folder: Path) -> None:
    (folder / MODEL_FILE).unlink()
    assert refusal(folder) == "model.safetensors: the file is missing"


def test_a_truncated_model_file_is_refused(folder: Path) -> None:
    file = folder / MODEL_FILE
    whole = file.read_bytes()
    for length in (0, 7, 100, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert refusal(folder).startswith("model.safetensors: not a whole safetensors file (")


def test_a_pickle_is_refused_without_being_opened(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "unpickled"

    class Malicious:
        def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
            return Path.touch, (trace,)

    (folder / MODEL_FILE).write_bytes(pickle.dumps(Malicious()))
    assert refusal(folder).startswith("model.safetensors: not a whole safetensors file (")
    torch.save(Malicious(), folder / MODEL_FILE)
    assert refusal(folder).startswith("model.safetensors: not a whole safetensors file (")
    assert not trace.exists()


def test_a_safetensors_file_without_our_metadata_is_refused(folder: Path) -> None:
    tensors = load_file(folder / MODEL_FILE)
    for header in (None, {"format": "pt"}):
        save_file(tensors, folder / MODEL_FILE, metadata=header)
        assert refusal(folder) == "model.safetensors: the header has no metadata under 'resnet_serve'"


def test_metadata_that_is_not_a_json_object_is_refused(folder: Path) -> None:
    tensors = load_file(folder / MODEL_FILE)
    save_file(tensors, folder / MODEL_FILE, metadata={HEADER_KEY: "{"})
    assert refusal(folder).startswith("model.safetensors: the metadata is not JSON (")
    save_file(tensors, folder / MODEL_FILE, metadata={HEADER_KEY: "[]"})
    assert refusal(folder) == "model.safetensors: the metadata must be a JSON object, got list"


def test_a_missing_listed_file_is_refused(folder: Path) -> None:
    (folder / "card.md").unlink()
    assert refusal(folder) == "card.md: the file is missing, but metadata field files lists it"


def test_a_changed_listed_file_is_refused(folder: Path) -> None:
    (folder / "card.md").write_bytes(b"# a small model\n")
    assert refusal(folder) == "card.md: the content does not have the digest that metadata field files states"


# An int8 network that is not the described one


@pytest.mark.parametrize("name", INT8_FILES)
def test_a_described_int8_network_that_is_not_listed_is_refused(folder: Path, name: str) -> None:
    change(folder, lambda metadata, _: metadata["files"].pop(name))
    assert refusal(folder) == (
        f"model.safetensors: metadata: int8 is described, but files does not list {name}"
    )


@pytest.mark.parametrize("name", INT8_FILES)
def test_a_listed_int8_network_that_is_not_described_is_refused(folder: Path, name: str) -> None:
    def drop_the_description(metadata: dict[str, Any], _: dict[str, Tensor]) -> None:
        metadata["int8"] = None
        metadata["files"] = {name: metadata["files"][name]}

    change(folder, drop_the_description)
    assert refusal(folder) == f"model.safetensors: metadata: files lists {name}, but int8 is null"


@pytest.mark.parametrize("name", INT8_FILES)
def test_a_missing_file_of_the_int8_network_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert refusal(folder) == f"{name}: the file is missing, but metadata field files lists it"


@pytest.mark.parametrize("name", INT8_FILES)
def test_a_changed_file_of_the_int8_network_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(INT8_FILES[name] + b" ")
    assert refusal(folder) == f"{name}: the content does not have the digest that metadata field files states"


# Tensors that are not the stored ones


MISFITS: dict[str, Callable[[dict[str, Any], dict[str, Tensor]], object]] = {
    "tensors missing for lenet with 3 classes and 3 input channels: features.0.weight": (
        lambda _, tensors: tensors.pop("features.0.weight")
    ),
    "tensors unknown to lenet with 3 classes and 3 input channels: extra": (
        lambda _, tensors: tensors.update(extra=torch.zeros(1))
    ),
    "tensor features.0.bias has shape (7,), lenet with 3 classes and 3 input channels needs (6,)": (
        lambda _, tensors: tensors.update({"features.0.bias": torch.zeros(7)})
    ),
    "tensor features.0.weight is torch.float32, with weights_dtype float16 it must be torch.float16": (
        lambda _, tensors: tensors.update({"features.0.weight": tensors["features.0.weight"].float()})
    ),
}
"""What is missing, unknown, of another shape and of another type, by the sentence that says so."""


@pytest.mark.parametrize("sentence", MISFITS)
def test_a_tensor_that_does_not_fit_is_refused_whatever_the_digest(folder: Path, sentence: str) -> None:
    change(folder, MISFITS[sentence], is_digested=True)
    assert refusal(folder) == f"model.safetensors: {sentence}"


@pytest.mark.parametrize("sentence", MISFITS)
def test_it_is_refused_by_its_digest_before_any_network_is_built(folder: Path, sentence: str) -> None:
    change(folder, MISFITS[sentence])
    with pytest.raises(ArtifactError, match=r"model\.safetensors: the tensors do not have the digest"):
        read_artifact(folder)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_a_tensor_that_is_not_finite_is_refused(folder: Path, value: float) -> None:
    change(folder, lambda _, tensors: tensors["features.1.running_var"].__setitem__(3, value))
    assert refusal(folder) == (
        "model.safetensors: tensor features.1.running_var holds values that are not finite"
    )


def test_one_changed_weight_is_refused(folder: Path) -> None:
    change(folder, lambda _, tensors: tensors["features.0.bias"][0].add_(1e-3))
    assert refusal(folder) == (
        "model.safetensors: the tensors do not have the digest that tensors_sha256 states"
    )


def test_two_tensors_that_changed_places_are_refused(folder: Path) -> None:
    def swap(_: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        mean, var = tensors["features.1.running_mean"], tensors["features.1.running_var"]
        tensors.update({"features.1.running_mean": var, "features.1.running_var": mean})

    change(folder, swap)
    assert "tensors_sha256" in refusal(folder)


# Metadata that contradicts the tensors


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


# The digest of the metadata


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
