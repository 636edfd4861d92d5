"""A shift by a few pixels, as a crop of the padded image."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from models.augmentations.base import Augmentation, Params, require_batch
from models.augmentations.parameters import ParameterError


class RandomCrop(Augmentation):
    """Pad each image on all four sides and cut out a window of the original size, anywhere.

    The padding is black ("zero") or the image mirrored about its edge pixels ("reflect").

    Params: `top` and `left`, int64 (n,), uniform in 0..2 * padding: the window's corner in the padded image.
    Raises `ValueError` for a padding outside 0..64 and an unknown padding mode, and in `sample` and `apply`
    where an image is too small to be reflected so far.
    """

    padding: int = Field(4, ge=0, le=64, description="Pixels added on every side before cropping.")
    padding_mode: Literal["zero", "reflect"] = Field("zero", description="What the added pixels show.")

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:
        self._require_room(*image_size)
        corners = torch.randint(
            2 * self.padding + 1, (2, n), generator=generator, device=generator.device, dtype=torch.int64
        )
        return {"top": corners[0], "left": corners[1]}

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        n, _, height, width = images.shape
        self._require_room(height, width)
        padded = F.pad(images, [self.padding] * 4, "constant" if self.padding_mode == "zero" else "reflect")
        # All windows as one view (N, C, tops, lefts, H, W), of which one indexing copies each image's own.
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)
        image = torch.arange(n, device=images.device)
        return windows[image, :, params["top"].to(images.device), params["left"].to(images.device)]

    def _require_room(self, height: int, width: int) -> None:
        if self.padding_mode == "reflect" and self.padding >= min(height, width):
            size = f"{height} by {width} pixels"
            raise ParameterError(
                "padding",
                f"padding must be smaller than the image to reflect it ({size}), got {self.padding}",
            )
