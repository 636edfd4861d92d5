"""Start a run from the weights of an artifact, all but the classifier where the classes are others."""

from pathlib import Path

from torch import nn

import models
from models.artifact.store import Artifact, ArtifactError, load_artifact
from training.data.cifar10 import ImageData
from training.recipes.recipe import Recipe

BUNDLED = "bundled"
BUNDLED_FOLDER = Path(models.__file__).parent / "weights/resnet18-cifar10/1"


class InitError(ValueError):
    """The artifact cannot be read, or does not fit the run; the message says which file or field."""


def load_initial(name: str) -> Artifact:
    """The artifact in the folder `name`, or the bundled one. Raises `InitError` where it cannot be read."""
    try:
        return load_artifact(BUNDLED_FOLDER if name == BUNDLED else Path(name))
    except ArtifactError as error:
        raise InitError(f"--init: {error}") from error


def identity(artifact: Artifact) -> str:
    """Name, version and tensors of an artifact, as a recipe's `init` has them."""
    return f"{artifact.metadata.name}/{artifact.metadata.version} {artifact.metadata.tensors_sha256}"


def start_from(model: nn.Module, artifact: Artifact, recipe: Recipe, data: ImageData) -> None:
    """Copy the artifact's weights and running statistics into `model`, in place.

    Where the classes are others, in name or in order, the last linear layer keeps what it had. Raises
    `InitError` where the architecture or the number of channels is another.
    """
    metadata = artifact.metadata
    channels = data.train.images.shape[1]
    for field, has, needs in (
        ("architecture", metadata.architecture, recipe.architecture),
        ("in_channels", metadata.in_channels, channels),
    ):
        if has != needs:
            raise InitError(f"--init: the artifact's {field} is {has}, but the recipe needs {needs}")
    values = artifact.model.state_dict()
    if metadata.classes != data.classes:
        own = model.state_dict()
        linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)][-1]
        values |= {name: own[name] for name in own if name.startswith(f"{linear}.")}
    model.load_state_dict(values)
