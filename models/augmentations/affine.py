"""Affine maps of whole batches, each image by its own matrix, without waiting for the device."""

import torch
from torch import Tensor
from torch.nn import functional as F


def warp(images: Tensor, matrices: Tensor) -> Tensor:
    """Take every pixel of the result from where its image's matrix says, bilinearly; outside is black.

    `images` is (N, C, H, W), float32 or float64. `matrices`, (N, 2, 3) alike, map the place (x, y, 1)
    of a pixel of the result to a place (x, y) in the input, both in pixels from the image's centre, x to the
    right and y down.
    """
    height, width = images.shape[2:]
    x, y = (
        torch.arange(length, device=images.device, dtype=images.dtype) + (1 - length) / 2
        for length in (width, height)
    )
    y = y.view(-1, 1)
    of_x, of_y, shift = matrices.view(-1, 2, 3, 1, 1).unbind(2)
    # (N, 2, H, W), of which grid_sample wants the coordinates last, in half widths and half heights.
    places = of_x * x + of_y * y + shift
    grid = torch.stack([places[:, 0] * (2 / width), places[:, 1] * (2 / height)], dim=3)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
