"""The state of a run on disk: all that is needed to go on to the same final weights."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from models.artifact.report import EpochRecord
from training.recipes.recipe import Recipe

FILE_NAME = "checkpoint.pt"


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

    @property
    def seconds(self) -> float:
        """Wall time of training so far, in seconds."""
        return self.epoch_seconds + sum(record.seconds for record in self.history)

    @property
    def result(self) -> dict[str, Any]:
        """The weights that the run has to show: the average where there is one."""
        return self.ema or self.model


def save_checkpoint(folder: Path, state: RunState) -> None:
    """Write `state` so that a reader, or a crash at any moment, finds the old file or the new one, whole."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{FILE_NAME}.partial"
    with partial.open("wb") as file:
        torch.save({**asdict(state), "recipe": state.recipe.to_json()}, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / FILE_NAME)


def load_checkpoint(folder: Path) -> RunState:
    """Read the state back, on the CPU. Raises `CheckpointError`."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise CheckpointError(f"no checkpoint at {path}: start the run without --resume")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        values["recipe"] = Recipe.from_json(values["recipe"])
        values["history"] = [EpochRecord(**record) for record in values["history"]]
        return RunState(**values)
    except Exception as error:  # torch.load raises whatever the damaged bytes lead it to
        raise CheckpointError(f"{path} is not a readable checkpoint: {error}") from error


def require_same_run(state: RunState, recipe: Recipe, seed: int, data_sha256: str) -> None:
    """Refuse to go on with another recipe, seed or data set than the run began with.

    A field that recipes did not have yet when the run began counts as its default.
    """
    began = state.recipe.to_json()
    for name, value in recipe.to_json().items():
        if began[name] != value:
            raise CheckpointError(f"the run began with {name}={began[name]}, not {value}")
    if state.seed != seed:
        raise CheckpointError(f"the run began with seed={state.seed}, not {seed}")
    if state.data_sha256 != data_sha256:
        raise CheckpointError("the run began with another data set")
