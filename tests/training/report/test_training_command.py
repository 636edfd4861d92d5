"""The command in card and report is the one that was given."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from models.artifact.store import ModelDescription, load_artifact
from training.recipes import RECIPES
from training.report.training_command import training_command


def described(
    exported: Path, recipe: str, data: str, size: int = 32, **values: JsonValue
) -> ModelDescription:
    known = RECIPES[recipe]
    metadata = load_artifact(exported).metadata
    return metadata.model_copy(
        update={
            "recipe": {**known.to_json(), "seed": 3, **values},
            "dataset": metadata.dataset.model_copy(update={"name": data}),
            "input_size": size,
        }
    )


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_as_it_is(exported: Path, recipe: str) -> None:
    command = training_command(described(exported, recipe, "cifar-10"))
    assert command == f"python -m training train --recipe {recipe} --seed 3"


def test_everything_that_was_chosen(exported: Path) -> None:
    description = described(
        exported,
        "fine-tune",
        "my photos",
        64,
        stages=[{"epochs": 5, "image_size": 32}, {"epochs": 2, "image_size": 64}],
        balance="loss",
        init="resnet18-cifar10/1 f3c6fb694128",
        sync_batch_norm=True,
    )
    assert training_command(description) == (
        "torchrun ... -m training train --recipe fine-tune --seed 3 --data 'my photos' --epochs 7 "
        "--image-size 64 --balance loss --init models/weights/resnet18-cifar10/1 --sync-batch-norm"
    )


def test_a_recipe_that_is_not_known_any_more(exported: Path) -> None:
    description = load_artifact(exported).metadata
    assert training_command(description) == "python -m training train --recipe tiny --seed 0 --data tiny"


def test_a_run_that_was_given_more_epochs_is_two_commands(exported: Path) -> None:
    description = described(exported, "lenet", "cifar-10", extended_after=[4, 5])
    epochs = RECIPES["lenet"].epochs
    train = "python -m training train --recipe lenet --seed 3 --epochs"
    assert training_command(description) == (f"{train} 4 && {train} 5 --resume && {train} {epochs} --resume")
