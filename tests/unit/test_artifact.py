"""Saving and loading models: what comes back is what was stored, and any damage stops the load."""

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models import create_model
from models.artifact import (
    HEADER_KEY,
    MODEL_FILE,
    ArtifactError,
    ModelDescription,
    load_artifact,
    save_artifact,
)
from models.batch_norm import BatchNorm
from tests.unit.small_model import CLASSES, DESCRIPTION, lenet

FILES = {"card.md": b"# A small model\n", "report.json": b"{}"}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "1"
    save_artifact(folder, lenet(), DESCRIPTION, FILES)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A stored model that the test may damage."""
    return shutil.copytree(original, tmp_path / "small" / "1")


def description(**changes: object) -> ModelDescription:
    return ModelDescription.model_validate({**dict(DESCRIPTION), **changes})


def change(folder: Path, edit: Callable[[dict[str, Any], dict[str, Tensor]], object]) -> None:
    """Rewrite the stored metadata and tensors after `edit`, which changes them in place."""
    file = folder / MODEL_FILE
    with safe_open(file, framework="pt") as opened:
        metadata = json.loads(opened.metadata()[HEADER_KEY])
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    edit(metadata, tensors)
    save_file(tensors, file, metadata={HEADER_KEY: json.dumps(metadata)})


def refusal(folder: Path) -> str:
    """The one sentence with which the load is refused, without the folder's name."""
    with pytest.raises(ArtifactError) as refused:
        load_artifact(folder)
    message = str(refused.value)
    assert "\n" not in message
    return message.removeprefix(f"{folder}/")


# What comes back


def test_the_files_are_written_with_their_digests_in_the_header(folder: Path) -> None:
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.name != MODEL_FILE} == FILES
    metadata = load_artifact(folder).metadata
    assert metadata.files == {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


def test_the_description_comes_back_as_it_was(folder: Path, tmp_path: Path) -> None:
    saved = save_artifact(tmp_path / "again", lenet(), DESCRIPTION, FILES)
    loaded = load_artifact(folder)
    assert loaded.metadata == saved
    assert loaded.folder == folder
    for field in ModelDescription.model_fields:
        assert getattr(loaded.metadata, field) == getattr(DESCRIPTION, field)


def test_the_model_comes_back_in_float32_and_eval_mode_with_our_batch_norm(folder: Path) -> None:
    model = load_artifact(folder).model
    assert not any(module.training for module in model.modules())
    assert all(t.dtype == torch.float32 for t in model.state_dict().values() if t.is_floating_point())
    assert all(t.device.type == "cpu" for t in model.state_dict().values())
    assert sum(isinstance(module, BatchNorm) for module in model.modules()) == 4


@pytest.mark.parametrize(
    ("weights_dtype", "dtype"),
    [("float32", torch.float32), ("float16", torch.float16), ("bfloat16", torch.bfloat16)],
)
def test_weights_are_rounded_to_their_type_and_the_rest_is_exact(
    tmp_path: Path, weights_dtype: str, dtype: torch.dtype
) -> None:
    model = lenet()
    save_artifact(tmp_path / "1", model, description(weights_dtype=weights_dtype), {})
    stored = load_file(tmp_path / "1" / MODEL_FILE)
    loaded = load_artifact(tmp_path / "1").model.state_dict()
    for name, tensor in model.state_dict().items():
        if tensor.dim() >= 2:
            assert stored[name].dtype == dtype
            tensor = tensor.to(dtype).float()
        else:
            assert stored[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor), name


def test_a_model_with_pytorchs_batch_norm_in_channels_last_is_stored_all_the_same(tmp_path: Path) -> None:
    model = create_model("lenet", len(CLASSES), norm_layer=nn.BatchNorm2d)
    model.load_state_dict(lenet().state_dict())
    save_artifact(tmp_path / "1", model.to(memory_format=torch.channels_last), DESCRIPTION, {})
    save_artifact(tmp_path / "2", lenet(), DESCRIPTION, {})
    assert (tmp_path / "1" / MODEL_FILE).read_bytes() == (tmp_path / "2" / MODEL_FILE).read_bytes()


def test_a_loaded_model_can_be_stored_again_unchanged(folder: Path, tmp_path: Path) -> None:
    loaded = load_artifact(folder)
    save_artifact(tmp_path / "copy", loaded.model, loaded.metadata, FILES)
    assert (tmp_path / "copy" / MODEL_FILE).read_bytes() == (folder / MODEL_FILE).read_bytes()


def test_a_loaded_model_does_not_hang_on_the_file(folder: Path) -> None:
    model = load_artifact(folder).model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    size = (folder / MODEL_FILE).stat().st_size
    with (folder / MODEL_FILE).open("r+b") as opened:
        opened.write(b"\0" * size)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_loading_draws_no_random_numbers(folder: Path) -> None:
    before = torch.get_rng_state()
    load_artifact(folder)
    assert torch.equal(torch.get_rng_state(), before)


# Writing is all or nothing


def test_an_existing_folder_is_replaced_as_a_whole(folder: Path) -> None:
    save_artifact(folder, lenet(), description(temperature=2.0), {"new.txt": b"new"})
    assert {file.name for file in folder.iterdir()} == {MODEL_FILE, "new.txt"}
    assert load_artifact(folder).metadata.temperature == 2.0
    assert [path.name for path in folder.parent.iterdir()] == ["1"]


def test_a_failure_while_writing_leaves_the_old_model_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_is_full(_descriptor: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(OSError, match="no space left"):
        save_artifact(folder, lenet(), description(temperature=2.0), {})
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    assert load_artifact(folder).metadata.temperature == 1.5


def test_a_failure_while_renaming_puts_the_old_model_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def second_rename_fails(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise OSError("rename failed")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_rename_fails)
    with pytest.raises(OSError, match="rename failed"):
        save_artifact(folder, lenet(), description(temperature=2.0), {})
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    assert load_artifact(folder).metadata.temperature == 1.5


def test_a_model_that_does_not_fit_its_description_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"tensor classifier\.6\.weight has shape \(4, 84\)"):
        save_artifact(tmp_path / "1", create_model("lenet", 4), DESCRIPTION, {})
    assert list(tmp_path.iterdir()) == []


def test_weights_too_large_for_their_type_are_not_written(tmp_path: Path) -> None:
    model = lenet()
    with torch.no_grad():
        model.state_dict()["classifier.6.weight"][0, 0] = 1e6
    save_artifact(tmp_path / "1", model, description(weights_dtype="bfloat16"), {})
    with pytest.raises(ArtifactError, match=r"tensor classifier\.6\.weight holds values that are not finite"):
        save_artifact(tmp_path / "2", model, description(weights_dtype="float16"), {})


@pytest.mark.parametrize("name", ["../card.md", "a/b", "a\\b", "..", ".", "", "a\0b", MODEL_FILE])
def test_files_outside_the_folder_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="files"):
        save_artifact(tmp_path / "1", lenet(), DESCRIPTION, {name: b""})
    assert list(tmp_path.iterdir()) == []


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


# Tensors that are not the stored ones


def test_a_missing_tensor_is_refused(folder: Path) -> None:
    change(folder, lambda _, tensors: tensors.pop("features.0.weight"))
    assert refusal(folder) == (
        "model.safetensors: tensors missing for lenet with 3 classes and 3 input channels: features.0.weight"
    )


def test_an_unknown_tensor_is_refused(folder: Path) -> None:
    change(folder, lambda _, tensors: tensors.update(extra=torch.zeros(1)))
    assert refusal(folder) == (
        "model.safetensors: tensors unknown to lenet with 3 classes and 3 input channels: extra"
    )


def test_a_tensor_of_another_shape_is_refused(folder: Path) -> None:
    change(folder, lambda _, tensors: tensors.update({"features.0.bias": torch.zeros(7)}))
    assert refusal(folder) == (
        "model.safetensors: tensor features.0.bias has shape (7,), "
        "lenet with 3 classes and 3 input channels needs (6,)"
    )


def test_a_tensor_of_another_type_is_refused(folder: Path) -> None:
    change(folder, lambda _, t: t.update({"features.0.weight": t["features.0.weight"].float()}))
    assert refusal(folder) == (
        "model.safetensors: tensor features.0.weight is torch.float32, "
        "with weights_dtype float16 it must be torch.float16"
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


# Metadata that contradicts the tensors


def test_fewer_classes_than_the_classifier_has_are_refused(folder: Path) -> None:
    def drop_a_class(metadata: dict[str, Any], _: dict[str, Tensor]) -> None:
        metadata["classes"].remove("frog")
        del metadata["metrics"]["per_class_accuracy"]["frog"]

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
