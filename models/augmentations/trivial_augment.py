"""One operation of fourteen on each image, with one strength, both at random, and nothing to tune."""

import math

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from models.augmentations.affine import warp
from models.augmentations.base import Augmentation, Params, require_batch
from models.augmentations.color_jitter import blend, luma
from models.augmentations.tones import autocontrast, equalize, posterize, solarize

OPERATIONS = (
    "identity",
    "brightness",
    "contrast",
    "saturation",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
    "rotate",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)
LEVELS = 30
"""The strength is one of so many equal steps, or 0."""

# What strength 1 means, after the paper's wide ranges.
BLEND = 0.99
BITS_LOST = 6
DEGREES = 135.0
SHEAR = 0.99
PIXELS = 32.0


class TrivialAugment(Augmentation):
    """Change each image by one operation, chosen with equal chances, with a strength of its own.

    At strength 1, in either direction: brightness, contrast, saturation and sharpness times 1 ± 0.99,
    rotation by 135°, shear by 0.99 about the upper left corner, translation by 32 pixels; without a
    direction: 2 of 8 bits left, everything inverted. Autocontrast and equalising have no strength. Solarising
    inverts what is not below 1 minus the strength, so that at strength 0 pure white becomes black, as it does
    in torchvision's TrivialAugmentWide. What comes in at the border is black, and pixels are taken
    bilinearly.

    Source: Müller and Hutter, "TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation", 2021,
    https://arxiv.org/abs/2103.10158, with its wide ranges.

    Params: `operation`, int64 (n,), the index in `OPERATIONS`, and `strength`, float32 (n,) in -1..1. Raises
    `ValueError` for a strength outside 0..1, and in `apply` for images of other than 3 channels.
    """

    strength: float = Field(1.0, ge=0, le=1, description="Largest strength, as a share of the published one.")

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:  # noqa: ARG002
        device = generator.device
        operation = torch.randint(len(OPERATIONS), (n,), generator=generator, device=device)
        level = torch.randint(LEVELS + 1, (n,), generator=generator, device=device) / LEVELS
        sign = torch.randint(2, (n,), generator=generator, device=device) * 2 - 1
        return {"operation": operation, "strength": self.strength * level * sign}

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        if images.shape[1] != 3:
            raise ValueError(f"images must have 3 channels, got {images.shape[1]}")
        values = images.to(torch.promote_types(images.dtype, torch.float32))
        # Every image goes through every operation and keeps its own: to sort the images by operation would
        # make the host wait for the device.
        operation = params["operation"].to(images.device)
        strength = params["strength"].to(values)
        unsigned = strength.abs()

        def where(name: str, then: Tensor, otherwise: Tensor) -> Tensor:
            chosen = operation == OPERATIONS.index(name)
            return torch.where(chosen.view(-1, *[1] * (then.dim() - 1)), then, otherwise)

        grey = luma(values)
        other = where("brightness", torch.zeros_like(values), values)
        other = where("contrast", grey.mean((2, 3), keepdim=True).expand_as(values), other)
        other = where("saturation", grey.expand_as(values), other)
        other = where("sharpness", _blurred(values), other)
        blended = blend(values, other, 1 + BLEND * strength)

        nothing = torch.zeros_like(strength)
        angle = where("rotate", strength * math.radians(DEGREES), nothing)
        shear_x = where("shear_x", strength * SHEAR, nothing)
        shear_y = where("shear_y", strength * SHEAR, nothing)
        shift_x = shear_x * (values.shape[2] / 2) - where("translate_x", strength * PIXELS, nothing)
        shift_y = shear_y * (values.shape[3] / 2) - where("translate_y", strength * PIXELS, nothing)
        x = torch.stack([angle.cos(), shear_x - angle.sin(), shift_x], 1)
        y = torch.stack([shear_y + angle.sin(), angle.cos(), shift_y], 1)
        warped = warp(values, torch.stack([x, y], 1))

        result = values.clone()
        for name in ("brightness", "contrast", "saturation", "sharpness"):
            result = where(name, blended, result)
        for name in ("rotate", "shear_x", "shear_y", "translate_x", "translate_y"):
            result = where(name, warped, result)
        result = where("posterize", posterize(values, 8 - (unsigned * BITS_LOST).round()), result)
        result = where("solarize", solarize(values, 1 - unsigned), result)
        result = where("autocontrast", autocontrast(values), result)
        result = where("equalize", equalize(values), result)
        return result.to(images.dtype)


def _blurred(images: Tensor) -> Tensor:
    """Every pixel with five parts of itself and one of each neighbour; those on the border stay."""
    blurred = images.clone()
    if min(images.shape[2:]) > 2:
        inner = images[:, :, 1:-1, 1:-1]
        blurred[:, :, 1:-1, 1:-1] = (9 * F.avg_pool2d(images, 3, stride=1) + 4 * inner) / 13
    return blurred
