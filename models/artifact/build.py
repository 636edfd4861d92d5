"""The network of an artifact: built of its tensors by PyTorch, and the facts about it."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from models import create_model
from models.artifact.facts import ModelFacts
from models.artifact.metadata import ModelDescription
from models.artifact.store import ArtifactError
from models.artifact.tensors import StoredTensor
from models.augmentations import to_spec
from models.batch_norm.report import batch_norm_report
from models.class_activation import ClassActivation
from models.features import last_linear
from models.summary import summarize
from models.training_augmentation import training_augmentation


def build_network(
    tensors: Mapping[str, StoredTensor], description: ModelDescription, file: Path
) -> nn.Module:
    """The network that `description` names, with `tensors` as its own: float32, in eval mode.

    Raises `ArtifactError`, naming `file`, for tensors that do not fit the description.
    """
    require_fitting(tensors, description, file)
    # A network on the meta device costs no memory and no random numbers; the stored tensors become its own.
    model = blank_network(description)
    state = {name: torch.from_numpy(tensor.values().copy()) for name, tensor in tensors.items()}
    model.load_state_dict(state, assign=True)
    return model.eval()


def describe_model(model: nn.Module, description: ModelDescription) -> ModelFacts:
    """The facts about `model`. Raises `ValueError` where it cannot take images of the description's size."""
    size = description.input_size
    try:
        features = last_linear(model).in_features
    except ValueError:
        features = None
    try:
        ClassActivation(model)
        has_maps = True
    except ValueError:
        has_maps = False
    try:
        augmentation = to_spec(training_augmentation(description.recipe))
    except ValueError:
        augmentation = None
    return ModelFacts(
        layers=tuple(summarize(model, (description.in_channels, size, size))),
        batch_norms=tuple(layer.name for layer in batch_norm_report(model)),
        features=features,
        class_activation=has_maps,
        augmentation=augmentation,
    )


def blank_network(description: ModelDescription) -> nn.Module:
    """The network that `description` names, on the meta device: shapes and types without values."""
    with torch.device("meta"):
        return create_model(description.architecture, len(description.classes), description.in_channels)


def stored_type(expected: torch.Tensor, description: ModelDescription) -> str:
    """The type in which an artifact stores a tensor like `expected` of its network."""
    if not expected.is_floating_point():
        return str(expected.dtype).removeprefix("torch.")
    return description.weights_dtype if expected.dim() >= 2 else "float32"


def require_fitting(tensors: Mapping[str, StoredTensor], description: ModelDescription, file: Path) -> None:
    """Raise `ArtifactError` unless `tensors` are those of the described network, in the types it states."""
    expected = blank_network(description).state_dict()
    wanted_by = (
        f"{description.architecture} with {len(description.classes)} classes "
        f"and {description.in_channels} input channels"
    )
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ArtifactError(f"{file}: tensors missing for {wanted_by}: {', '.join(missing)}")
    if extra := sorted(tensors.keys() - expected.keys()):
        raise ArtifactError(f"{file}: tensors unknown to {wanted_by}: {', '.join(extra)}")
    for name, tensor in tensors.items():
        shape = tuple(expected[name].shape)
        if tensor.shape != shape:
            raise ArtifactError(f"{file}: tensor {name} has shape {tensor.shape}, {wanted_by} needs {shape}")
        dtype = stored_type(expected[name], description)
        if tensor.dtype != dtype:
            raise ArtifactError(
                f"{file}: tensor {name} is torch.{tensor.dtype}, with weights_dtype"
                f" {description.weights_dtype} it must be torch.{dtype}"
            )
