"""Views of an image, whose answers are averaged: to people the same picture, and to a network another.

Each is an operation of the registry whose parameters leave nothing to chance, by a line in `VIEWS`. Source of
the idea: Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015,
https://arxiv.org/abs/1409.1556, by its test-time augmentation.
"""

from typing import TYPE_CHECKING

from pydantic import JsonValue

if TYPE_CHECKING:
    from torch import Tensor

    from models.augmentations.base import Augmentation, Params

SQUEEZED = 0.8
"""Width of a squeezed picture, of the whole; its mirrored edges fill the rest."""
ENLARGED = 1.15

VIEWS: dict[str, dict[str, JsonValue] | None] = {
    "as is": None,
    "mirrored": {"name": "horizontal_flip", "probability": 1.0},
    "squeezed": {
        "name": "zoom",
        "probability": 1.0,
        "area": [1 / SQUEEZED, 1 / SQUEEZED],
        "ratio": [1 / SQUEEZED, 1 / SQUEEZED],
    },
    "enlarged": {
        "name": "zoom",
        "probability": 1.0,
        "area": [ENLARGED**-2, ENLARGED**-2],
        "ratio": [1.0, 1.0],
    },
}
"""The first of them are taken where fewer are asked for."""


def views_of(images: "Tensor", count: int) -> "Tensor":
    """The first `count` views of `images` (N, C, S, S), uint8 or floats in 0..1: float32 (N, count, C, S, S).

    Raises `ValueError` for a number of views outside 1..4.
    """
    if not 1 <= count <= len(VIEWS):
        raise ValueError(f"views must be in 1..{len(VIEWS)}, got {count}")
    import torch

    from models.augmentations import from_spec

    values = images.float() if images.is_floating_point() else images.float() / 255
    views = []
    for spec in list(VIEWS.values())[:count]:
        if spec is None:
            views.append(values)
            continue
        ((_, operation),) = from_spec([spec]).operations
        views.append(operation.apply(values, _centred(operation, values)))
    return torch.stack(views, dim=1)


def _centred(operation: "Augmentation", images: "Tensor") -> "Params":
    """The parameters that `operation` has for every image: with a window, one around the centre."""
    import torch

    size = images.shape[2], images.shape[3]
    params = operation.sample(len(images), size, torch.Generator().manual_seed(0))
    for start, length, whole in (("top", "height", size[0]), ("left", "width", size[1])):
        if start in params:
            params[start] = (whole - params[length]) / 2
    return params
