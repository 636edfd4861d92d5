"""The command that trains a model again, told from its artifact."""

import shlex

from pydantic import JsonValue, TypeAdapter

from models.artifact.store import ModelDescription
from training.data.cifar10 import CIFAR10_NAME
from training.recipes import RECIPES
from training.recipes.recipe import Recipe, Stage

STAGES = TypeAdapter(list[Stage])


def training_command(description: ModelDescription) -> str:
    """`python -m training train` with the options that the run had.

    The folder of own images is known by its name alone, an artifact that the run started from by the folder
    that `export` would have chosen for it.
    """
    values = description.recipe
    starter = "torchrun ..." if values.get("sync_batch_norm") else "python"
    options: dict[str, JsonValue] = {"--recipe": values["name"], "--seed": values["seed"]}
    if description.dataset.name != CIFAR10_NAME:
        options["--data"] = description.dataset.name
    recipe = RECIPES.get(str(values["name"]))
    if recipe is not None:
        options |= _departures(recipe, description)
    if values.get("balance", "none") != "none":
        options["--balance"] = values["balance"]
    if values.get("init") is not None:
        options["--init"] = f"models/weights/{str(values['init']).split()[0]}"
    flags = ["--sync-batch-norm"] if values.get("sync_batch_norm") else []
    commands = [_words(options) + flags]
    commands += [
        [*_words({**options, "--epochs": epochs}), *flags, "--resume"] for epochs in _epochs(description)[1:]
    ]
    return " && ".join(f"{starter} -m training train {shlex.join(words)}" for words in commands)


def _words(options: dict[str, JsonValue]) -> list[str]:
    return [str(word) for option in options.items() for word in option]


def _departures(recipe: Recipe, description: ModelDescription) -> dict[str, int]:
    """What the run had otherwise than `recipe` has it."""
    epochs = _epochs(description)[0]
    changed = {}
    if epochs != recipe.epochs:
        changed["--epochs"] = epochs
    if description.input_size != recipe.stages[-1].image_size:
        changed["--image-size"] = description.input_size
    return changed


def _epochs(description: ModelDescription) -> list[int]:
    """The epochs that the run was to have at first, and each larger number that it was given once done."""
    last = sum(stage.epochs for stage in STAGES.validate_python(description.recipe["stages"]))
    return [*TypeAdapter(list[int]).validate_python(description.recipe.get("extended_after", [])), last]
