"""The state of a run on disk: all that is needed to go on to the same final weights."""

import io
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from models.artifact.report import EpochRecord
from training.loop.checkpoint_digest import digest
from training.recipes.recipe import Recipe

FILE_NAME = "checkpoint.pt"
FORMAT_VERSION = 2
"""That of a file with a digest of its values. The first format carried neither a digest nor a version."""


class CheckpointError(ValueError):
    """The checkpoint is absent, damaged, or of another run; the message says which."""


@dataclass
class RunState:
    """Where a run stands: `step` steps of `epoch` are done.

    It carries no state of random numbers, for those follow from seed, epoch and step.
    """

    recipe: Recipe
    seed: int
    data_sha256: str
    hardware: str
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    epoch_seconds: float = 0.0
    ema_updates: int = 0
    history: list[EpochRecord] = field(default_factory=list)
    model: dict[str, Any] = field(default_factory=dict)
    ema: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    lookahead: dict[str, Any] = field(default_factory=dict)
    extended_after: list[int] = field(default_factory=list)
    """Epochs after which the run was finished and then given more."""

    @property
    def seconds(self) -> float:
        """Wall time of training so far, in seconds."""
        return self.epoch_seconds + sum(record.seconds for record in self.history)

    @property
    def result(self) -> dict[str, Any]:
        """The weights that the run has to show: the average where there is one."""
        return self.ema or self.model


def save_checkpoint(folder: Path, state: RunState) -> None:
    """Write `state` so that a reader, or a crash at any moment, finds the old file or the new one, whole.

    Raises `CheckpointError` where it cannot be written; the old file stays.
    """
    path, partial = folder / FILE_NAME, folder / f"{FILE_NAME}.partial"
    values = {**asdict(state), "recipe": state.recipe.to_json()}
    values |= {"format_version": FORMAT_VERSION, "sha256": digest(values)}
    # In memory first: of what fails while it writes to a file, torch tells nothing.
    content = io.BytesIO()
    torch.save(values, content)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        kept = "; the last checkpoint is kept" if path.is_file() else ""
        raise CheckpointError(f"{path} cannot be written: {error.strerror or error}{kept}") from error


def load_checkpoint(folder: Path, tell: Callable[[str], None] = lambda _: None) -> RunState:
    """Read the state back, on the CPU, and check its digest.

    A checkpoint of the first format, which carried none, is taken as it is; `tell` is called with a line that
    says so. Raises `CheckpointError` for a file that is absent or damaged.
    """
    path = folder / FILE_NAME
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        if "format_version" not in values and "sha256" not in values:
            tell(f"{path} is of an earlier version and carries no digest: it is taken unchecked")
        else:
            _check(values, values.pop("format_version"), values.pop("sha256"))
        values["recipe"] = Recipe.from_json(values["recipe"])
        values["history"] = [EpochRecord(**record) for record in values["history"]]
        return RunState(**values)
    except Exception as error:  # torch.load raises whatever the damaged bytes lead it to
        # Of an empty file, Python's own error has no words.
        reason = str(error) or "it ends too early"
        raise CheckpointError(f"{path} is not a readable checkpoint: {reason}") from error


def _check(values: dict[str, Any], version: object, sha256: object) -> None:
    if version != FORMAT_VERSION:
        raise ValueError(f"format_version must be {FORMAT_VERSION}, got {version!r}")
    if digest(values) != sha256:
        raise ValueError("its values do not have the digest that was stored with them")


def is_finished(state: RunState) -> bool:
    """Whether all epochs of the recipe that the state carries are done."""
    return state.epoch >= state.recipe.epochs


def require_same_run(state: RunState, recipe: Recipe, seed: int, data_sha256: str) -> None:
    """Refuse to go on with another recipe, seed or data set than the run began with.

    A field that recipes did not have yet when the run began counts as its default. A finished run may be
    given more epochs, for which stages and restarts move, but no images of another size. Raises
    `CheckpointError` naming what differs.
    """
    longer = is_finished(state) and recipe.epochs > state.epoch
    began_with, asked = (
        ", ".join(str(stage.image_size) for stage in each.stages) for each in (state.recipe, recipe)
    )
    if longer and began_with != asked:
        raise CheckpointError(f"the run began with images of {began_with} pixels, not {asked}")
    began = state.recipe.to_json()
    for name, value in recipe.to_json().items():
        if began[name] != value and not (longer and name in ("stages", "restarts")):
            if name == "stages":
                raise CheckpointError(_other_stages(state, recipe))
            raise CheckpointError(f"the run began with {name}={began[name]}, not {value}")
    if state.seed != seed:
        raise CheckpointError(f"the run began with seed={state.seed}, not {seed}")
    if state.data_sha256 != data_sha256:
        raise CheckpointError("the run began with another data set")


def _other_stages(state: RunState, recipe: Recipe) -> str:
    epochs = state.recipe.epochs
    if recipe.epochs == epochs:
        began, asked = state.recipe.to_json()["stages"], recipe.to_json()["stages"]
        return f"the run began with stages={began}, not {asked}"
    if is_finished(state):
        return f"the run is finished after {epochs} epochs, more than the {recipe.epochs} asked for"
    return (
        f"the run began with {epochs} epochs, not {recipe.epochs}: go on with --epochs {epochs}; only a "
        f"finished run may be given more"
    )
