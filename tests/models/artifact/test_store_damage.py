"""A damaged or contradictory artifact: each fault stops the load with its own sentence."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.artifact.store import (
    HEADER_KEY,
    MODEL_FILE,
    ArtifactError,
    read_artifact,
)
from tests.support.damaged_artifact import change, refusal
from tests.support.small_model import INT8_FILES

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
    for text in ("{", "[" * 200_000):
        save_file(tensors, folder / MODEL_FILE, metadata={HEADER_KEY: text})
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


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (torch.uint16, "U16"),
        (torch.uint32, "U32"),
        (torch.uint64, "U64"),
        (torch.complex64, "C64"),
        (torch.float8_e4m3fn, "F8_E4M3"),
    ],
    ids=str,
)
def test_a_tensor_of_a_type_that_no_network_has_is_refused(
    folder: Path, dtype: torch.dtype, name: str
) -> None:
    change(folder, lambda _, tensors: tensors.update(extra=torch.zeros(3).to(dtype)))
    assert refusal(folder) == (
        f"model.safetensors: not a whole safetensors file (tensor extra has the type {name})"
    )


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
