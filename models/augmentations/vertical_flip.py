"""Top and bottom exchanged."""

import torch
from pydantic import Field
from torch import Tensor

from models.augmentations.base import Augmentation, Params, per_image, require_batch


class VerticalFlip(Augmentation):
    """Mirror each image about its horizontal axis with the given probability.

    Params: `flip`, bool (n,). Raises `ValueError` for a probability outside 0..1.
    """

    probability: float = Field(0.5, ge=0, le=1, description="Chance that an image is turned upside down.")

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:  # noqa: ARG002
        return {"flip": torch.rand(n, generator=generator, device=generator.device) < self.probability}

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        return torch.where(per_image(params["flip"], images), images.flip(2), images)
