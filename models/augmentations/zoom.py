"""The subject nearer or further away, in another shape."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from models.augmentations.base import Augmentation, Params, require_batch
from models.augmentations.chance import sample_applied, sample_uniform, where_applied
from models.augmentations.mirror import fold
from models.augmentations.parameters import Range


class Zoom(Augmentation):
    """Show a window of another size and shape of some of the images, resized to the image's size.

    A window smaller than the image enlarges a part of it; a larger one shrinks the whole amid its mirrored
    edges, as when the subject is further away. The window's area is log-uniform in `area`, its aspect ratio
    log-uniform in `ratio`, and its place uniform: along each axis either the window lies within the image or
    the image within the window. The resize is bilinear and antialiased, at fractions of pixels.

    Params: `applied`, bool (n,), and `top`, `left`, `height` and `width` of the window in pixels, float32
    (n,). Raises `ValueError` for a probability outside 0..1, an area outside 0.05..4, a ratio outside 0.25..4
    and a range whose low end is above its high end.
    """

    probability: float = Field(0.5, ge=0, le=1, description="Share of the images that are changed.")
    area: Range[Annotated[float, Field(ge=0.05, le=4)]] = Field(
        (0.4, 2.0), description="Area that is shown, as a multiple of the image's."
    )
    ratio: Range[Annotated[float, Field(ge=0.25, le=4)]] = Field(
        (3 / 4, 4 / 3), description="Width of the window divided by its height, of a square."
    )

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:
        applied = sample_applied(n, self.probability, generator)
        area, ratio = (
            sample_uniform(n, (math.log(low), math.log(high)), generator).exp()
            for low, high in (self.area, self.ratio)
        )
        height, width = image_size
        window_height, window_width = height * (area / ratio).sqrt(), width * (area * ratio).sqrt()
        return {
            "applied": applied,
            "top": sample_uniform(n, (0, 1), generator) * (height - window_height),
            "left": sample_uniform(n, (0, 1), generator) * (width - window_width),
            "height": window_height,
            "width": window_width,
        }

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        values = images.to(torch.promote_types(images.dtype, torch.float32))
        own = {key: value.to(values) for key, value in params.items() if key != "applied"}
        largest = math.sqrt(self.area[1] * max(self.ratio[1], 1 / self.ratio[0]))
        rows, columns = (
            window_weights(own[start], own[length], size, margin=math.ceil(size * largest) + 1)
            for start, length, size in (
                ("top", "height", images.shape[2]),
                ("left", "width", images.shape[3]),
            )
        )
        zoomed = rows.unsqueeze(1) @ values @ columns.mT.unsqueeze(1)
        return where_applied(params["applied"], zoomed, images)


def window_weights(start: Tensor, length: Tensor, size: int, margin: int) -> Tensor:
    """The matrices (N, size, size) that show a window of one axis of N images: new pixels from old ones.

    The new axis shows `length` from `start` on, both (N,) in old pixels, and may reach beyond the image,
    which is mirrored `margin` pixels far. A new pixel is the mean of the old ones around its centre, weighted
    by a triangle one pixel wide to each side, in the larger of the two pixels.
    """
    step = (length / size).view(-1, 1, 1)
    centre = start.view(-1, 1, 1) + step * (torch.arange(size, device=start.device).view(-1, 1) + 0.5)
    position = torch.arange(-margin, size + margin, device=start.device) + 0.5
    weights = (1 - (position - centre).abs() / step.clamp(min=1)).clamp(min=0)
    return fold(weights / weights.sum(2, keepdim=True), size)
