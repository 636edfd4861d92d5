"""Colours as hue, saturation and value.

Source: Smith, "Color Gamut Transform Pairs", 1978, https://doi.org/10.1145/965139.807361.
"""

import torch
from torch import Tensor


def rgb_to_hsv(images: Tensor) -> Tensor:
    """Convert RGB to HSV, both floats (N, 3, H, W) in 0..1.

    The hue of a grey is 0, and so is the saturation of black.
    """
    red, green, blue = images.unbind(dim=1)
    value, low = images.amax(dim=1), images.amin(dim=1)
    chroma = value - low
    divisor = torch.where(chroma == 0, 1, chroma)
    sextant = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, (blue - red) / divisor + 2, (red - green) / divisor + 4),
    )
    saturation = chroma / torch.where(value == 0, 1, value)
    return torch.stack(((sextant / 6).remainder(1), saturation, value), dim=1)


def hsv_to_rgb(images: Tensor) -> Tensor:
    """Convert HSV to RGB, floats (N, 3, H, W) in 0..1 both; hues are taken modulo 1."""
    hue, saturation, value = images[:, :1], images[:, 1:2], images[:, 2:]
    # Around the circle of hues each channel is a trapezium; red, green and blue differ in where it starts.
    start = torch.arange(5, 0, -2, device=images.device, dtype=images.dtype).view(1, 3, 1, 1)
    angle = (start + 6 * hue).remainder(6)
    depth = torch.minimum(angle, 4 - angle).clamp(0, 1)
    return value - value * saturation * depth
