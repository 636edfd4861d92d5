"""How many images are computed at once: fewer large ones, as a network needs memory by the pixel."""

from torch import Tensor

LARGEST_BATCH = 500
PIXELS = LARGEST_BATCH * 32**2
"""Of all images of a batch: a ResNet-18 for small images, in float32, then needs less than 1 GB."""


def batch_size(images: Tensor) -> int:
    """Of `images` (N, C, H, W): as many as have `PIXELS`, at least 1 and at most `LARGEST_BATCH`."""
    height, width = images.shape[2:]
    return max(1, min(LARGEST_BATCH, PIXELS // (height * width)))
