"""Operations that leave a share of the images as they are."""

import torch
from torch import Tensor

from models.augmentations.base import per_image


def sample_applied(n: int, probability: float, generator: torch.Generator) -> Tensor:
    """Draw which of `n` images an operation changes, bool (n,), each with `probability`."""
    return torch.rand(n, generator=generator, device=generator.device) < probability


def sample_uniform(n: int, bounds: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Draw `n` numbers, float32 (n,), uniform between `bounds` (low, high)."""
    return torch.empty(n, device=generator.device).uniform_(*bounds, generator=generator)


def where_applied(applied: Tensor, changed: Tensor, images: Tensor) -> Tensor:
    """Take `changed` for the images that `applied` (N,) names, clipped to 0..1, and `images` for the others.

    Every image goes through the operation: to sort out those it is due to would make the host wait for the
    device. Both tensors are (N, C, H, W); the result has the type of `images`.
    """
    return torch.where(per_image(applied, images), changed.clamp(0, 1).to(images.dtype), images)
