"""A square of the image painted over."""

import torch
from pydantic import Field
from torch import Tensor

from models.augmentations.base import Augmentation, Params, per_image, require_batch


class Cutout(Augmentation):
    """Paint a square of each image in one grey. Its centre is any pixel, so it may reach over the border.

    Source: DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout", 2017,
    https://arxiv.org/abs/1708.04552; the default is their 16 pixels on CIFAR-10.

    Params: `row` and `column` of the centre, int64 (n,), uniform over the image. A square of an even size
    reaches one pixel further up and left of it than down and right. Raises `ValueError` for a size outside
    1..512 and a value outside 0..1.
    """

    size: int = Field(16, ge=1, le=512, description="Side of the square in pixels.")
    value: float = Field(0.0, ge=0, le=1, description="Grey of the square, 0 is black and 1 white.")

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:
        height, width = image_size
        device = generator.device
        return {
            "row": torch.randint(height, (n,), generator=generator, device=device),
            "column": torch.randint(width, (n,), generator=generator, device=device),
        }

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        top, left = (per_image(params[key], images) - self.size // 2 for key in ("row", "column"))
        row = torch.arange(images.shape[2], device=images.device).view(-1, 1)
        column = torch.arange(images.shape[3], device=images.device)
        inside = (row >= top) & (row < top + self.size) & (column >= left) & (column < left + self.size)
        return images.masked_fill(inside, self.value)
