import random
import resource
from dataclasses import asdict, replace
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
from training.loop.checkpoint_digest import digest
from training.recipes.recipe import Stage

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


def written_by_an_earlier_version(folder: Path, *without: str) -> None:
    """Turn the checkpoint into one of the first format: no digest, no version, no fields that came later.

    Its recipe has no fields of the names `without`.
    """
    values = torch.load(folder / FILE_NAME, weights_only=True)
    for name in ("format_version", "sha256", "lookahead", "extended_after"):
        del values[name]
    for name in without:
        del values["recipe"][name]
    torch.save(values, folder / FILE_NAME)


def digest_of(each: RunState) -> str:
    return digest({**asdict(each), "recipe": each.recipe.to_json()})


def test_seconds_count_finished_epochs_and_the_current_one() -> None:
    assert state().seconds == 57.0


def test_a_write_that_fails_leaves_the_old_checkpoint_and_is_one_clear_line(
    tmp_path: Path,
) -> None:
    save_checkpoint(tmp_path, state())
    content = (tmp_path / FILE_NAME).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Beyond this size the kernel refuses to write, as on a full disk, in the middle of the file.
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(content) // 2, hard))
    try:
        with pytest.raises(CheckpointError, match=rf"{FILE_NAME} cannot be written: File too large; the"):
            save_checkpoint(tmp_path, state())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert (tmp_path / FILE_NAME).read_bytes() == content


def test_a_file_in_the_way_of_the_folder_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(CheckpointError, match=rf"run/{FILE_NAME} cannot be written: "):
        save_checkpoint(tmp_path / "run", state())


def test_a_damaged_checkpoint_is_refused_by_its_path(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state())
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match=rf"{FILE_NAME} is not a readable checkpoint"):
        load_checkpoint(tmp_path)
    path.write_bytes(b"")
    with pytest.raises(
        CheckpointError, match=rf"{FILE_NAME} is not a readable checkpoint: it ends too early$"
    ):
        load_checkpoint(tmp_path)


def test_a_field_that_recipes_did_not_have_yet_counts_as_its_default(tmp_path: Path) -> None:
    """A run that began before a field existed goes on, unless the recipe now asks for something else."""
    save_checkpoint(tmp_path, state())
    written_by_an_earlier_version(
        tmp_path, "restarts", "lookahead", "mixup_alpha", "batch_norm_rate_scale", "compile_mode"
    )
    began = load_checkpoint(tmp_path)
    require_same_run(began, RECIPE, 3, "d")
    with pytest.raises(CheckpointError, match="began with lookahead=None, not 5"):
        require_same_run(began, RECIPE.changed(lookahead=5), 3, "d")
    save_checkpoint(tmp_path, state())
    written_by_an_earlier_version(tmp_path, "learning_rate")
    with pytest.raises(CheckpointError, match=r"not a readable checkpoint: (.|\n)*learning_rate"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_of_the_first_format_loads_and_says_that_it_has_no_digest(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state())
    told: list[str] = []
    load_checkpoint(tmp_path, told.append)
    assert told == []
    written_by_an_earlier_version(tmp_path)
    loaded = load_checkpoint(tmp_path, told.append)
    assert (loaded.recipe, loaded.lookahead, loaded.extended_after) == (RECIPE, {}, [])
    assert told == [
        f"{tmp_path / FILE_NAME} is of an earlier version and carries no digest: it is taken unchecked"
    ]


def test_no_bit_of_the_values_can_flip_unnoticed(tmp_path: Path) -> None:
    """Each flipped bit is refused, or lies between the values, where it changes none of them."""
    save_checkpoint(tmp_path, state())
    path = tmp_path / FILE_NAME
    content = path.read_bytes()
    chance = random.Random(0)
    weights = content.index(torch.arange(3.0).numpy().tobytes())
    refused = []
    for bit in [8 * weights, *(chance.randrange(8 * len(content)) for _ in range(200))]:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            loaded = load_checkpoint(tmp_path, lambda line: pytest.fail(line))
        except CheckpointError as error:
            refused.append(str(error))
        else:
            assert digest_of(loaded) == digest_of(state())
    assert "do not have the digest" in refused[0]
    assert len(refused) > 20
    assert all(f"{FILE_NAME} is not a readable checkpoint" in each for each in refused)


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, state())
    values = torch.load(tmp_path / FILE_NAME, weights_only=True)
    torch.save({**values, "format_version": 3}, tmp_path / FILE_NAME)
    with pytest.raises(CheckpointError, match="format_version must be 2, got 3"):
        load_checkpoint(tmp_path)


def test_more_epochs_are_given_to_a_finished_run_only() -> None:
    finished = RunState(RECIPE, seed=0, data_sha256="d", hardware="h", epoch=RECIPE.epochs)
    require_same_run(finished, RECIPE.with_epochs(RECIPE.epochs + 1), 0, "d")
    with pytest.raises(CheckpointError, match="is finished after 3 epochs, more than the 2 asked for"):
        require_same_run(finished, RECIPE.with_epochs(2), 0, "d")
    with pytest.raises(CheckpointError, match="began with seed=0, not 1"):
        require_same_run(finished, RECIPE.with_epochs(4), 1, "d")
    with pytest.raises(CheckpointError, match=r"began with learning_rate=0\.1, not 0\.2"):
        require_same_run(finished, RECIPE.with_epochs(4).changed(learning_rate=0.2), 0, "d")
    larger = RECIPE.changed(stages=(Stage(epochs=4, image_size=24),))
    with pytest.raises(CheckpointError, match="began with images of 16, 20 pixels, not 24"):
        require_same_run(finished, larger, 0, "another")
    begun = replace(finished, epoch=2)
    with pytest.raises(CheckpointError, match="began with 3 epochs, not 4: go on with --epochs 3; only a"):
        require_same_run(begun, RECIPE.with_epochs(4), 0, "d")
