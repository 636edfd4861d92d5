from pathlib import Path

import pytest
import torch

from training.checkpoint import (
    FILE_NAME,
    CheckpointError,
    EpochRecord,
    RunState,
    load_checkpoint,
    save_checkpoint,
)

RECORD = EpochRecord(1, 32, 0.1, 1.5, 0.4, 1.4, 0.45, 1000.0, 50.0)


def state() -> RunState:
    return RunState(
        recipe={"name": "x", "stages": [{"epochs": 1, "image_size": 32}]},
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
