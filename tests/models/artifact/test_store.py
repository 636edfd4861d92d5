"""Saving and loading models: what comes back is what was stored, and writing is all or nothing."""

import errno
import hashlib
import os
import shutil
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from torch import nn

from models import create_model
from models.artifact.facts import FILE_NAME as FACTS_FILE
from models.artifact.save import save_artifact, seal_artifact
from models.artifact.store import MODEL_FILE, ArtifactError, ModelDescription, load_artifact
from models.batch_norm.layer import BatchNorm
from tests.support.small_model import CLASSES, DESCRIPTION, INT8_FILES, WITH_INT8, lenet

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


# What comes back


def test_the_files_are_written_with_their_digests_in_the_header(folder: Path) -> None:
    stored = {file.name: file.read_bytes() for file in folder.iterdir() if file.name != MODEL_FILE}
    assert stored == {**FILES, FACTS_FILE: stored[FACTS_FILE]}
    metadata = load_artifact(folder).metadata
    assert metadata.files == {name: hashlib.sha256(content).hexdigest() for name, content in stored.items()}


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
    assert {file.name for file in folder.iterdir()} == {MODEL_FILE, FACTS_FILE, "new.txt"}
    assert load_artifact(folder).metadata.temperature == 2.0
    assert [path.name for path in folder.parent.iterdir()] == ["1"]


def test_a_failure_while_writing_leaves_the_old_model_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_is_full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(OSError, match=f"no space left: '{folder}'"):
        save_artifact(folder, lenet(), description(temperature=2.0), {})
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    assert load_artifact(folder).metadata.temperature == 1.5


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_a_failure_while_renaming_puts_the_old_model_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failure: type[BaseException]
) -> None:
    rename = Path.rename

    def second_rename_fails(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise failure("rename failed")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_rename_fails)
    with pytest.raises(failure, match="rename failed"):
        save_artifact(folder, lenet(), description(temperature=2.0), {})
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    assert load_artifact(folder).metadata.temperature == 1.5


def test_ctrl_c_right_after_the_renaming_leaves_the_new_model_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        renamed = rename(self, target)
        if self.name.endswith(".new"):
            raise KeyboardInterrupt
        return renamed

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_artifact(folder, lenet(), description(temperature=2.0), {})
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    assert load_artifact(folder).metadata.temperature == 2.0


def test_what_lies_beside_a_models_files_stays_when_it_is_sealed(folder: Path) -> None:
    # With an int8 network, none has to be converted.
    save_artifact(folder, lenet(), WITH_INT8, INT8_FILES)
    (folder / "notes").mkdir()
    (folder / "notes" / "mine.txt").write_text("mine")
    (folder / "link").symlink_to("nowhere")
    seal_artifact(folder)
    assert (folder / "notes" / "mine.txt").read_text() == "mine"
    assert (folder / "link").readlink() == Path("nowhere")


def test_a_link_to_a_model_still_leads_to_it_when_it_is_replaced(tmp_path: Path) -> None:
    save_artifact(tmp_path / "1", lenet(), DESCRIPTION, {})
    (tmp_path / "current").symlink_to("1")
    save_artifact(tmp_path / "current", lenet(), description(name="other"), {})
    assert (tmp_path / "current").readlink() == Path("1")
    assert load_artifact(tmp_path / "1").metadata.name == "other"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["1", "current"]


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


@pytest.mark.parametrize(
    ("description", "files", "complaint"),
    [
        (WITH_INT8, FILES, "int8 is described, but files does not list int8.xml"),
        (DESCRIPTION, INT8_FILES, "files lists int8.xml, but int8 is null"),
    ],
)
def test_an_int8_network_and_its_description_are_written_only_together(
    tmp_path: Path, description: ModelDescription, files: dict[str, bytes], complaint: str
) -> None:
    with pytest.raises(ValidationError, match=complaint):
        save_artifact(tmp_path / "1", lenet(), description, files)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../card.md", "a/b", "a\\b", "..", ".", "", "a\0b", MODEL_FILE])
def test_files_outside_the_folder_are_not_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match="files"):
        save_artifact(tmp_path / "1", lenet(), DESCRIPTION, {name: b""})
    assert list(tmp_path.iterdir()) == []


def test_new_files_are_proven_where_they_are_before_the_old_ones_go(folder: Path) -> None:
    newer = description(version="2")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def refuse(fresh: Path) -> None:
        assert load_artifact(fresh).metadata.version == "2"
        assert load_artifact(folder).metadata.version == "1"
        raise ArtifactError("it computes something else")

    with pytest.raises(ArtifactError, match="it computes something else"):
        save_artifact(folder, lenet(), newer, FILES, prove=refuse)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert list(folder.parent.iterdir()) == [folder]
    save_artifact(folder, lenet(), newer, FILES, prove=load_artifact)
    assert load_artifact(folder).metadata.version == "2"
