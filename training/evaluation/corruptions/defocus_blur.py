"""A lens out of focus: every point becomes a disk."""

import numpy as np
from scipy import ndimage

from training.evaluation.corruptions.picture import Picture

DISKS = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))
"""Radius of the disk, and standard deviation of the 3 × 3 Gaussian that softens its edge, in pixels."""
REACH = 8
"""The kernel's middle is at this pixel, counted from 0."""


def kernel(radius: float, softness: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The disk as weights (17, 17) that sum up to 1."""
    places = np.arange(-REACH, REACH + 1)
    disk = (places[:, None] ** 2 + places[None, :] ** 2 <= radius**2).astype(np.float64)
    side = np.exp(-(np.array([-1, 0, 1]) ** 2) / (2 * softness**2))
    side /= side.sum()
    return np.asarray(ndimage.convolve(disk / disk.sum(), np.outer(side, side), mode="constant"))


def defocus_blur(picture: Picture, severity: int, _random: np.random.Generator) -> Picture:
    weights = kernel(*DISKS[severity - 1])
    return np.asarray(ndimage.correlate(picture, weights[:, :, None], mode="mirror"))
