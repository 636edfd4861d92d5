"""Noise as a camera's sensor adds it."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from models.augmentations.base import Augmentation, Params, per_image, require_batch
from models.augmentations.chance import sample_applied, sample_uniform, where_applied
from models.augmentations.parameters import Range

LANES = 2
"""A normal number is made of two uniform ones."""


class GaussianNoise(Augmentation):
    """Add normal noise, of each pixel and channel by itself, to some of the images, and clip to 0..1.

    The standard deviation is uniform in `std`. The noise follows from an image's `seed` and the pixel's
    place alone, by counting and mixing (as in Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
    2011, https://doi.org/10.1145/2063384.2063405), so that the parameters stay small and every device adds
    the same.

    Params: `applied`, bool (n,), `std`, float32 (n,), and `seed`, int64 (n,). Raises `ValueError` for a
    probability or a standard deviation outside 0..1.
    """

    probability: float = Field(0.5, ge=0, le=1, description="Share of the images that are changed.")
    std: Range[Annotated[float, Field(ge=0, le=1)]] = Field(
        (0.0, 0.1), description="Standard deviation of the noise, as a share of the value range."
    )

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:  # noqa: ARG002
        return {
            "applied": sample_applied(n, self.probability, generator),
            "std": sample_uniform(n, self.std, generator),
            "seed": torch.randint(2**31, (n,), generator=generator, device=generator.device),
        }

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        values = images.to(torch.promote_types(images.dtype, torch.float32))
        noise = normal_noise(params["seed"].to(images.device), values[0:1].numel() if len(values) else 0)
        noisy = values + per_image(params["std"], images) * noise.view(values.shape).to(values.dtype)
        return where_applied(params["applied"], noisy, images)


def normal_noise(seeds: Tensor, count: int) -> Tensor:
    """Standard normal numbers, float32 (N, count), row n from `seeds[n]` (int64 (N,) in 0..2**31 - 1) alone.

    Source: Box and Muller, "A Note on the Generation of Random Normal Deviates", 1958,
    https://doi.org/10.1214/aoms/1177706645.
    """
    place = torch.arange(count, device=seeds.device)
    # Mixed before the places come in, so that the noise of one seed is not that of the next one shifted.
    stream = _mixed(seeds).view(-1, 1)
    radius, angle = (_mixed(_mixed(stream + LANES * place + lane) ^ stream) for lane in range(LANES))
    # 24 bits, as many as float32 holds; the middle of each step, so that there is no logarithm of 0.
    uniform = ((radius >> 8).float() + 0.5) * 2**-24
    return (-2 * uniform.log()).sqrt() * ((angle >> 8).float() * (2**-24 * 2 * math.pi)).cos()


def _mixed(values: Tensor) -> Tensor:
    """Spread whole numbers over 0..2**32 - 1; each bit of the input turns about half of those that come out.

    Source: Wellons, "Prospecting for Hash Functions", 2018, the function lowbias32.
    """
    low = 0xFFFFFFFF
    values = values & low
    values = ((values ^ (values >> 16)) * 0x7FEB352D) & low
    values = ((values ^ (values >> 15)) * 0x846CA68B) & low
    return values ^ (values >> 16)
