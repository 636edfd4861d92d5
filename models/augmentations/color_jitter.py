"""Random changes of brightness, contrast, saturation and hue."""

import torch
from pydantic import Field
from torch import Tensor

from models.augmentations.base import Augmentation, Params, per_image, require_batch
from models.augmentations.chance import sample_applied, where_applied
from models.augmentations.hsv import hsv_to_rgb, rgb_to_hsv

# The luma of ITU-R BT.601 in the digits that torchvision uses.
LUMA = (0.2989, 0.587, 0.114)

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


class ColorJitter(Augmentation):
    """Change brightness, contrast, saturation and hue of images, in an order that is random too.

    The factors of brightness, contrast and saturation are uniform in 1 - strength..1 + strength: 0 gives a
    black, a uniformly grey and a greyscale image, 1 the original. The hue turns by a share of the colour
    circle that is uniform in -strength..strength.

    Params: `brightness`, `contrast`, `saturation` and `hue`, float32 (n,), `order`, int64 (n, 4), a
    permutation of 0 brightness, 1 contrast, 2 saturation, 3 hue, the first applied first, and `applied`, bool
    (n,). Raises `ValueError` for a strength or a probability outside 0..1, for hue outside 0..0.5, and in
    `apply` for images of other than 3 channels.
    """

    brightness: float = Field(0.4, ge=0, le=1, description="Strength of the change of brightness.")
    contrast: float = Field(0.4, ge=0, le=1, description="Strength of the change of contrast.")
    saturation: float = Field(0.4, ge=0, le=1, description="Strength of the change of saturation.")
    hue: float = Field(0.1, ge=0, le=0.5, description="Largest turn of the colour circle.")
    probability: float = Field(1.0, ge=0, le=1, description="Share of the images that are changed.")

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:  # noqa: ARG002
        device = generator.device
        order = torch.rand(n, 4, generator=generator, device=device).argsort(dim=1)

        def around(centre: float, strength: float) -> Tensor:
            values = torch.empty(n, device=device)
            return values.uniform_(centre - strength, centre + strength, generator=generator)

        return {
            "brightness": around(1, self.brightness),
            "contrast": around(1, self.contrast),
            "saturation": around(1, self.saturation),
            "hue": around(0, self.hue),
            "order": order,
            "applied": sample_applied(n, self.probability, generator),
        }

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        if images.shape[1] != 3:
            raise ValueError(f"images must have 3 channels, got {images.shape[1]}")
        own = {key: value.to(images.device) for key, value in params.items()}
        jittered = images.to(torch.promote_types(images.dtype, torch.float32))
        neutral = torch.ones_like(own["brightness"])
        for position in range(4):
            # Every image goes through everything and keeps its own: to sort the images by what they are due
            # would make the host wait for the device.
            turn = own["order"][:, position]
            grey = luma(jittered)
            other = torch.where(per_image(turn == CONTRAST, images), grey.mean((2, 3), keepdim=True), grey)
            other = torch.where(per_image(turn == BRIGHTNESS, images), 0, other)
            factor = neutral
            for number, key in (
                (BRIGHTNESS, "brightness"),
                (CONTRAST, "contrast"),
                (SATURATION, "saturation"),
            ):
                factor = torch.where(turn == number, own[key], factor)
            hued = (turn == HUE) & (own["hue"] != 0)
            jittered = torch.where(
                per_image(hued, images), adjust_hue(jittered, own["hue"]), blend(jittered, other, factor)
            )
        return where_applied(own["applied"], jittered, images)


def adjust_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hues of `images` (N, 3, H, W) in 0..1 by `turns` (N,), shares of the colour circle."""
    hsv = rgb_to_hsv(images)
    hsv[:, 0] += turns.view(-1, 1, 1)
    return hsv_to_rgb(hsv)


def luma(images: Tensor) -> Tensor:
    """The greyscale (N, 1, H, W) of `images` (N, 3, H, W)."""
    red, green, blue = images[:, :1], images[:, 1:2], images[:, 2:]
    return red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]


def blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    """Scale how far `images` (N, 3, H, W) in 0..1 are from `others` by `factors` (N,), clipped to 0..1.

    `others` that are black, of the mean luma and of the luma make it a change of brightness, contrast and
    saturation.
    """
    factor = per_image(factors, images)
    return (images * factor + others * (1 - factor)).clamp(0, 1)
