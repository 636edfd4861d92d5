"""The parameters of every augmentation, with legal and illegal values of each, and images to try them on."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.augmentations import AUGMENTATIONS, Augmentation, Params
from models.augmentations.parameters import parameter_schemas

PARAMETERS = [(name, parameter) for name, kind in AUGMENTATIONS.items() for parameter in kind.model_fields]
each_parameter = pytest.mark.parametrize(("name", "parameter"), PARAMETERS)


def random_images(n: int, size: tuple[int, int]) -> Tensor:
    return torch.rand(n, 3, *size, generator=torch.Generator().manual_seed(0))


def sample(augmentation: Augmentation, n: int, size: tuple[int, int], seed: int = 0) -> Params:
    return augmentation.sample(n, size, torch.Generator().manual_seed(seed))


def schema_of(name: str, parameter: str) -> dict[str, Any]:
    return parameter_schemas(AUGMENTATIONS[name])[parameter]


def limits(schema: dict[str, Any]) -> tuple[float, float]:
    """The least and the greatest number that a parameter takes, alone or in a range."""
    number = schema["prefixItems"][0] if schema["type"] == "array" else schema
    return number["minimum"], number["maximum"]


def extremes(name: str, parameter: str) -> list[object]:
    """The legal values of a parameter that lie furthest apart."""
    schema = schema_of(name, parameter)
    if schema["type"] == "string":
        return list(schema["enum"])
    low, high = limits(schema)
    return [(low, low), (low, high), (high, high)] if schema["type"] == "array" else [low, high]


def illegal(name: str, parameter: str) -> list[object]:
    """Values of a parameter just outside what is legal, or of a wrong type."""
    schema = schema_of(name, parameter)
    wrong: list[object] = [None, True, "nonsense"]
    if schema["type"] == "string":
        return [*wrong, 0, tuple(schema["enum"])]
    low, high = limits(schema)
    if schema["type"] == "array":
        return [*wrong, (low - 1, high), (low, high + 1), (high, low), (low,), (low, float("nan")), low]
    return [*wrong, low - 1, high + 1, float("nan"), (low, high)]
