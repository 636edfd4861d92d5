"""A rectangle of the image painted over."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from models.augmentations.base import Augmentation, Params, per_image, require_batch
from models.augmentations.parameters import Range
from models.augmentations.rectangles import first_fitting, sample_offsets, sample_sides


class RandomErasing(Augmentation):
    """Paint a random rectangle of each image in one grey, with the given probability.

    The rectangle is chosen as torchvision's `RandomErasing` does: area uniform in `scale`, aspect ratio
    log-uniform in `ratio`, ten attempts to find one that is both lower and narrower than the image; where
    none is found, nothing is erased.

    Source: Zhong et al., "Random Erasing Data Augmentation", 2017, https://arxiv.org/abs/1708.04896.

    Params: `top`, `left`, `height` and `width` of the rectangle in pixels, int64 (n,), all 0 where nothing
    is erased. Raises `ValueError` for a probability, scale or value outside 0..1, a ratio outside 0.05..20
    and a range whose low end is above its high end.
    """

    probability: float = Field(0.5, ge=0, le=1, description="Chance that a part of an image is erased.")
    scale: Range[Annotated[float, Field(ge=0, le=1)]] = Field(
        (0.02, 0.33), description="Erased area, as a share of the image's."
    )
    ratio: Range[Annotated[float, Field(ge=0.05, le=20)]] = Field(
        (0.3, 3.3), description="Height of the erased part divided by its width."
    )
    value: float = Field(0.0, ge=0, le=1, description="Grey of the erased part, 0 is black and 1 white.")

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:
        image_height, image_width = image_size
        erased = torch.rand(n, generator=generator, device=generator.device) < self.probability
        heights, widths = sample_sides(n, image_height * image_width, self.scale, self.ratio, generator)
        fits = (heights < image_height) & (widths < image_width)
        height = first_fitting(heights, fits, 0)
        width = first_fitting(widths, fits, 0)
        top = sample_offsets(height, image_height, generator)
        left = sample_offsets(width, image_width, generator)
        erased &= (height > 0) & (width > 0)
        return {
            "top": torch.where(erased, top, 0),
            "left": torch.where(erased, left, 0),
            "height": torch.where(erased, height, 0),
            "width": torch.where(erased, width, 0),
        }

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        top, left, height, width = (
            per_image(params[key], images) for key in ("top", "left", "height", "width")
        )
        row = torch.arange(images.shape[2], device=images.device).view(-1, 1)
        column = torch.arange(images.shape[3], device=images.device)
        erased = (row >= top) & (row < top + height) & (column >= left) & (column < left + width)
        return images.masked_fill(erased, self.value)
