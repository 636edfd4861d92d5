"""Images without colour."""

import torch
from pydantic import Field
from torch import Tensor

from models.augmentations.base import Augmentation, Params, require_batch
from models.augmentations.chance import sample_applied, where_applied
from models.augmentations.color_jitter import luma


class Grayscale(Augmentation):
    """Replace all three channels of some of the images by their luma (ITU-R BT.601).

    Params: `applied`, bool (n,). Raises `ValueError` for a probability outside 0..1, and in `apply` for
    images of other than 3 channels.
    """

    probability: float = Field(0.5, ge=0, le=1, description="Share of the images that are changed.")

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:  # noqa: ARG002
        return {"applied": sample_applied(n, self.probability, generator)}

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        if images.shape[1] != 3:
            raise ValueError(f"images must have 3 channels, got {images.shape[1]}")
        values = images.to(torch.promote_types(images.dtype, torch.float32))
        return where_applied(params["applied"], luma(values).expand_as(values), images)
