"""Random changes of brightness, contrast, saturation and hue."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.augmentations.base import Params, per_image, require_batch
from models.augmentations.hsv import hsv_to_rgb, rgb_to_hsv
from models.augmentations.parameters import check_parameters, parameter

# The luma of ITU-R BT.601 in the digits that torchvision uses.
LUMA = (0.2989, 0.587, 0.114)


@dataclass(frozen=True)
class ColorJitter:
    """Change brightness, contrast, saturation and hue of each image, in an order that is random too.

    The factors of brightness, contrast and saturation are uniform in 1 - strength..1 + strength: 0 gives a
    black, a uniformly grey and a greyscale image, 1 the original. The hue turns by a share of the colour
    circle that is uniform in -strength..strength.

    Params: `brightness`, `contrast`, `saturation` and `hue`, float32 (n,), and `order`, int64 (n, 4), a
    permutation of 0 brightness, 1 contrast, 2 saturation, 3 hue, the first applied first. Raises
    `ValueError` for a strength outside 0..1, for hue outside 0..0.5, and in `apply` for images of other than
    3 channels.
    """

    brightness: float = parameter(0.4, "Strength of the change of brightness.", minimum=0, maximum=1)
    contrast: float = parameter(0.4, "Strength of the change of contrast.", minimum=0, maximum=1)
    saturation: float = parameter(0.4, "Strength of the change of saturation.", minimum=0, maximum=1)
    hue: float = parameter(0.1, "Largest turn of the colour circle.", minimum=0, maximum=0.5)

    def __post_init__(self) -> None:
        check_parameters(self)

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
        }

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        if images.shape[1] != 3:
            raise ValueError(f"images must have 3 channels, got {images.shape[1]}")
        own = {key: value.to(images.device) for key, value in params.items()}
        # A copy, also where the type is the same, since the images are then changed in place.
        jittered = images.to(torch.promote_types(images.dtype, torch.float32), copy=True)
        for position in range(4):
            for number, (key, neutral, adjust) in enumerate(ADJUSTMENTS):
                turn = own["order"][:, position] == number
                chosen = (turn & (own[key] != neutral)).nonzero().squeeze(1)
                jittered[chosen] = adjust(jittered[chosen], own[key][chosen])
        return jittered.to(images.dtype)


def adjust_brightness(images: Tensor, factors: Tensor) -> Tensor:
    """Scale `images` (N, 3, H, W) in 0..1 by `factors` (N,) not below 0, and clip to 0..1."""
    return (images * per_image(factors, images)).clamp(0, 1)


def adjust_contrast(images: Tensor, factors: Tensor) -> Tensor:
    """Scale how far `images` (N, 3, H, W) in 0..1 are from their mean luma by `factors` (N,), clipped."""
    return _blend(images, _luma(images).mean(dim=(2, 3), keepdim=True), factors)


def adjust_saturation(images: Tensor, factors: Tensor) -> Tensor:
    """Scale how far `images` (N, 3, H, W) in 0..1 are from their greyscale by `factors` (N,), clipped."""
    return _blend(images, _luma(images), factors)


def adjust_hue(images: Tensor, turns: Tensor) -> Tensor:
    """Turn the hues of `images` (N, 3, H, W) in 0..1 by `turns` (N,), shares of the colour circle."""
    hsv = rgb_to_hsv(images)
    hsv[:, 0] += turns.view(-1, 1, 1)
    return hsv_to_rgb(hsv)


ADJUSTMENTS = (
    ("brightness", 1, adjust_brightness),
    ("contrast", 1, adjust_contrast),
    ("saturation", 1, adjust_saturation),
    ("hue", 0, adjust_hue),
)


def _luma(images: Tensor) -> Tensor:
    weights = torch.tensor(LUMA, device=images.device, dtype=images.dtype).view(1, 3, 1, 1)
    return (images * weights).sum(dim=1, keepdim=True)


def _blend(images: Tensor, others: Tensor, factors: Tensor) -> Tensor:
    factor = per_image(factors, images)
    return (images * factor + others * (1 - factor)).clamp(0, 1)
