"""The command that trains a model again, told from its artifact."""

import shlex

from models.artifact.store import ModelDescription
from training.data.cifar10 import CIFAR10_NAME
from training.recipes import RECIPES
from training.recipes.recipe import RecordedRecipe


def training_command(description: ModelDescription) -> str:
    """`python -m training train` with the options that the run had.

    The folder of own images is known by its name alone, an artifact that the run started from by the folder
    that `export` would have chosen for it. Raises `ArtifactError` for a recipe that cannot be read.
    """
    recipe = RecordedRecipe.of(description)
    starter = "torchrun ..." if recipe.sync_batch_norm else "python"
    options: dict[str, str | int] = {"--recipe": recipe.name, "--seed": recipe.seed}
    if description.dataset.name != CIFAR10_NAME:
        options["--data"] = description.dataset.name
    first, *later = *recipe.extended_after, recipe.epochs
    if recipe.name in RECIPES:
        known = RECIPES[recipe.name]
        if first != known.epochs:
            options["--epochs"] = first
        if description.input_size != known.stages[-1].image_size:
            options["--image-size"] = description.input_size
    if recipe.balance != "none":
        options["--balance"] = recipe.balance
    if recipe.init is not None:
        options["--init"] = f"models/weights/{recipe.init.split()[0]}"
    flags = ["--sync-batch-norm"] if recipe.sync_batch_norm else []
    commands = [_words(options) + flags]
    commands += [[*_words({**options, "--epochs": epochs}), *flags, "--resume"] for epochs in later]
    return " && ".join(f"{starter} -m training train {shlex.join(words)}" for words in commands)


def _words(options: dict[str, str | int]) -> list[str]:
    return [str(word) for option in options.items() for word in option]
