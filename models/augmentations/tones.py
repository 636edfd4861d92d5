"""Changes of each pixel's value, for whole batches (N, C, H, W) in 0..1, without waiting for the device.

All keep shape, type and value range, and compute what Pillow's `ImageOps` of the same names compute.
"""

import torch
from torch import Tensor

from models.augmentations.base import per_image


def posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep of each value's level, 0..255, the upper of its 8 bits: `bits`, (N,) of whole numbers in 0..8."""
    step = torch.exp2(8 - per_image(bits, images).to(images.dtype))
    values = (images * 255).round()
    return (values / step).floor() * step / 255


def solarize(images: Tensor, thresholds: Tensor) -> Tensor:
    """Invert the values that are not below their image's threshold, (N,) in 0..1."""
    return torch.where(images >= per_image(thresholds, images), 1 - images, images)


def autocontrast(images: Tensor) -> Tensor:
    """Stretch every channel of every image to 0..1; one that has a single value stays."""
    lowest, highest = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    flat = lowest == highest
    span = torch.where(flat, 1, highest - lowest)
    return ((images - torch.where(flat, 0, lowest)) / span).clamp(0, 1)


def equalize(images: Tensor) -> Tensor:
    """Spread the values of every channel of every image evenly, in 256 steps of brightness.

    A value becomes the share of pixels that are darker. A channel stays, rounded to 256 steps, where all but
    the brightest of its values together have fewer than 255 pixels.
    """
    n, channels, height, width = images.shape
    values = (images * (256 - 1e-3)).long().view(n, channels, height * width)
    counts = values.new_zeros(n, channels, 256).scatter_add_(2, values, torch.ones_like(values))
    up_to = counts.cumsum(2)
    brightest = values.amax(2, keepdim=True)
    step = (height * width - counts.gather(2, brightest)) // 255
    # Of a value, the pixels darker than it, in units of a 255th of all but the brightest.
    darker = up_to - counts
    spread = ((darker + step // 2) // step.clamp(min=1)).clamp(0, 255)
    equalized = torch.where(step > 0, spread.gather(2, values), values)
    return (equalized.to(images.dtype) / 255).view_as(images)
