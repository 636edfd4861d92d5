"""Random rectangles inside an image, by torchvision's rule, for many images at once.

Up to ten candidates are drawn for an image, and the first that fits is taken. All ten are always drawn, so
that the number of draws depends on the number of images alone.
"""

import math

import torch
from torch import Tensor

ATTEMPTS = 10


def sample_sides(
    n: int, area: int, scale: tuple[float, float], ratio: tuple[float, float], generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw the sides of candidate rectangles, two int64 tensors (ATTEMPTS, n), in pixels.

    A candidate's area is uniform in `scale` times `area`; the first side divided by the second is
    log-uniform in `ratio`. Both sides are rounded to whole pixels, which may be 0 or exceed the image.
    """
    shape, device = (ATTEMPTS, n), generator.device
    areas = area * torch.empty(shape, device=device).uniform_(*scale, generator=generator)
    low, high = (math.log(end) for end in ratio)
    ratios = torch.empty(shape, device=device).uniform_(low, high, generator=generator).exp()
    return (areas * ratios).sqrt().round().long(), (areas / ratios).sqrt().round().long()


def first_fitting(candidates: Tensor, fits: Tensor, fallback: int) -> Tensor:
    """Take from each column of `candidates` (ATTEMPTS, n) the first that `fits`, or `fallback`: (n,)."""
    first = fits.int().argmax(dim=0, keepdim=True)
    return torch.where(fits.any(dim=0), candidates.gather(0, first).squeeze(0), fallback)


def sample_offsets(lengths: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Draw where segments of `lengths` start, both int64 (n,), uniform in 0..size - length."""
    free = size - lengths
    uniform = torch.rand(lengths.shape, generator=generator, device=generator.device)
    # A draw next to 1 may be rounded up to free + 1 in the product.
    return torch.minimum((uniform * (free + 1)).long(), free)
