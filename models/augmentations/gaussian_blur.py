"""Blur, as of a picture out of focus."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from models.augmentations.base import Augmentation, Params, require_batch
from models.augmentations.chance import sample_applied, sample_uniform, where_applied
from models.augmentations.mirror import fold
from models.augmentations.parameters import Range

REACH = 4.0
"""Where the bell curve is cut off, in standard deviations."""


class GaussianBlur(Augmentation):
    """Blur some of the images by a bell curve whose standard deviation is uniform in `sigma`, in pixels.

    The curve ends after four standard deviations, rounded to whole pixels; beyond its edges an image is
    mirrored.

    Params: `applied`, bool (n,), and `sigma`, float32 (n,). Raises `ValueError` for a probability outside
    0..1 and a sigma outside 0.05..16.
    """

    probability: float = Field(0.5, ge=0, le=1, description="Share of the images that are changed.")
    sigma: Range[Annotated[float, Field(ge=0.05, le=16)]] = Field(
        (0.1, 1.5), description="Standard deviation of the blur, in pixels."
    )

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:  # noqa: ARG002
        return {
            "applied": sample_applied(n, self.probability, generator),
            "sigma": sample_uniform(n, self.sigma, generator),
        }

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        values = images.to(torch.promote_types(images.dtype, torch.float32))
        sigma = params["sigma"].to(values)
        reach = math.ceil(REACH * self.sigma[1])
        rows, columns = (blur_weights(sigma, size, reach) for size in images.shape[2:])
        blurred = rows.unsqueeze(1) @ values @ columns.mT.unsqueeze(1)
        return where_applied(params["applied"], blurred, images)


def blur_weights(sigma: Tensor, size: int, reach: int) -> Tensor:
    """The matrices (N, size, size) that blur one axis of N images by `sigma` (N,): new pixels from old ones.

    No pixel further away than `reach` counts.
    """
    position = torch.arange(-reach, size + reach, device=sigma.device)
    distance = position - torch.arange(size, device=sigma.device).view(-1, 1)
    own = sigma.view(-1, 1, 1)
    bell = (-0.5 * (distance / own).square()).exp()
    weights = bell * (distance.abs() <= (REACH * own + 0.5).floor())
    return fold(weights / weights.sum(2, keepdim=True), size)
