from pathlib import Path

import pytest
import torch

from models.artifact.report import EpochRecord
from tests.support.tiny_run import RECIPE
from training.loop.checkpoint import (
    FILE_NAME,
    CheckpointError,
    RunState,
    load_checkpoint,
    require_same_run,
    save_checkpoint,
)

RECORD = EpochRecord(1, 32, 0.1, 1.5, 0.4, 1.4, 0.45, 1000.0, 50.0)


def state() -> RunState:
    return RunState(
        recipe=RECIPE,
        seed=3,
        data_sha256="d",
        hardware="h",
        epoch=1,
        step=2,
        epoch_seconds=7.0,
        history=[RECORD],
        model={"w": torch.arange(3.0)},
    )


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "new", state())
    loaded = load_checkpoint(tmp_path / "new")
    assert loaded.history == [RECORD]
    assert loaded.recipe == state().recipe
    assert torch.equal(loaded.model["w"], torch.arange(3.0))
    assert (loaded.seed, loaded.epoch, loaded.step) == (3, 1, 2)


def test_seconds_count_finished_epochs_and_the_current_one() -> None:
    assert state().seconds == 57.0


def test_a_write_that_fails_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, state())

    def fail_halfway(_values: object, file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", fail_halfway)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(tmp_path, state())
    assert load_checkpoint(tmp_path).epoch == 1


def test_a_damaged_checkpoint_is_refused_by_its_path(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state())
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=rf"{FILE_NAME} is not a readable checkpoint"):
        load_checkpoint(tmp_path)


def test_a_field_that_recipes_did_not_have_yet_counts_as_its_default(tmp_path: Path) -> None:
    """A run that began before a field existed goes on, unless the recipe now asks for something else."""
    save_checkpoint(tmp_path, state())
    values = torch.load(tmp_path / FILE_NAME, weights_only=True)
    for name in ("restarts", "lookahead", "mixup_alpha", "batch_norm_rate_scale", "compile_mode"):
        del values["recipe"][name]
    torch.save(values, tmp_path / FILE_NAME)
    began = load_checkpoint(tmp_path)
    require_same_run(began, RECIPE, 3, "d")
    with pytest.raises(CheckpointError, match="began with lookahead=None, not 5"):
        require_same_run(began, RECIPE.changed(lookahead=5), 3, "d")
    del values["recipe"]["learning_rate"]
    torch.save(values, tmp_path / FILE_NAME)
    with pytest.raises(CheckpointError, match=r"not a readable checkpoint: (.|\n)*learning_rate"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_without_the_fields_of_later_versions_loads(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state())
    values = torch.load(tmp_path / FILE_NAME, weights_only=True)
    del values["lookahead"]
    torch.save(values, tmp_path / FILE_NAME)
    assert load_checkpoint(tmp_path).lookahead == {}
