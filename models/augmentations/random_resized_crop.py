"""A random part of the image, enlarged to the whole."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from models.augmentations.base import Augmentation, Params, require_batch
from models.augmentations.parameters import Range
from models.augmentations.rectangles import first_fitting, sample_offsets, sample_sides


class RandomResizedCrop(Augmentation):
    """Cut a rectangle of random area and aspect ratio out of each image and resize it to the image's size.

    The rectangle is chosen as torchvision's `RandomResizedCrop` does: area uniform in `scale`, aspect ratio
    log-uniform in `ratio`, ten attempts, then the largest central crop whose ratio is allowed. The resize
    is bilinear and antialiased.

    Source: Szegedy et al., "Going Deeper with Convolutions", 2014, https://arxiv.org/abs/1409.4842.

    Params: `top`, `left`, `height` and `width` of the rectangle in pixels, int64 (n,). Raises `ValueError`
    for a scale outside 0.01..1, a ratio outside 0.05..20 and a range whose low end is above its high end.
    """

    scale: Range[Annotated[float, Field(ge=0.01, le=1)]] = Field(
        (0.08, 1.0), description="Area of the cut, as a share of the image's."
    )
    ratio: Range[Annotated[float, Field(ge=0.05, le=20)]] = Field(
        (3 / 4, 4 / 3), description="Width of the cut divided by its height."
    )

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:
        image_height, image_width = image_size
        widths, heights = sample_sides(n, image_height * image_width, self.scale, self.ratio, generator)
        fits = (widths > 0) & (widths <= image_width) & (heights > 0) & (heights <= image_height)
        central_height, central_width = self._central_crop(image_height, image_width)
        height = first_fitting(heights, fits, central_height)
        width = first_fitting(widths, fits, central_width)
        top = sample_offsets(height, image_height, generator)
        left = sample_offsets(width, image_width, generator)
        found = fits.any(dim=0)
        return {
            "top": torch.where(found, top, (image_height - central_height) // 2),
            "left": torch.where(found, left, (image_width - central_width) // 2),
            "height": height,
            "width": width,
        }

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        _, _, image_height, image_width = images.shape
        dtype = torch.promote_types(images.dtype, torch.float32)
        own = {key: value.to(images.device) for key, value in params.items()}
        from_rows = resize_weights(own["top"], own["height"], image_height, dtype)
        from_columns = resize_weights(own["left"], own["width"], image_width, dtype)
        resized = from_rows.unsqueeze(1) @ images.to(dtype) @ from_columns.mT.unsqueeze(1)
        # The weights of a pixel sum to 1 only up to rounding.
        return resized.clamp(0, 1).to(images.dtype)

    def _central_crop(self, height: int, width: int) -> tuple[int, int]:
        """Return height and width of the largest crop whose aspect ratio is allowed."""
        low, high = self.ratio
        if width < low * height:
            return max(1, round(width / low)), width
        if width > high * height:
            return height, max(1, round(height * high))
        return height, width


def resize_weights(start: Tensor, length: Tensor, size: int, dtype: torch.dtype) -> Tensor:
    """Return the matrices (N, size, size) that resize one axis of N images: new pixels from old ones.

    The new axis shows the `length` old pixels from `start` on (both int64 (N,)) in `size` new ones. A new
    pixel is the mean of the old ones around its centre, weighted by a triangle one pixel wide to each side,
    in the larger of the two pixels: bilinear interpolation where the segment grows, an antialiased one where
    it shrinks.
    """
    pixel = torch.arange(size, device=start.device, dtype=dtype)
    step = (length.to(dtype) / size).view(-1, 1, 1)
    centre = step * (pixel.view(1, -1, 1) + 0.5)
    position = pixel.view(1, 1, -1) - start.view(-1, 1, 1)
    triangle = (1 - (position + 0.5 - centre).abs() / step.clamp(min=1)).clamp(min=0)
    inside = (position >= 0) & (position < length.view(-1, 1, 1))
    weights = triangle * inside
    return weights / weights.sum(dim=2, keepdim=True)
