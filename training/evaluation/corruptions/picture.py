"""What the corruptions work on, and the few operations that several of them share."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Picture = NDArray[np.float64]
"""An RGB image (H, W, 3) with values in 0..1."""
Corruption = Callable[[Picture, int, np.random.Generator], Picture]
"""Takes a picture, a severity in 1..5 and the random numbers to use; gives a picture that may leave 0..1."""


def blurred(picture: Picture, sigma: float, truncate: float = 4.0) -> Picture:
    """`picture` under a Gaussian of standard deviation `sigma` in pixels, each channel apart."""
    return np.asarray(ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="nearest", truncate=truncate))


def zoomed(picture: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """The middle of `picture` (H, W, C), enlarged `factor` times, in the same shape; linear in between."""
    size = picture.shape[0]
    crop = int(np.ceil(size / factor))
    top = (size - crop) // 2
    enlarged = ndimage.zoom(picture[top : top + crop, top : top + crop], (factor, factor, 1), order=1)
    trim = (enlarged.shape[0] - size) // 2
    return np.asarray(enlarged[trim : trim + size, trim : trim + size])


def smeared(picture: NDArray[np.float64], radius: int, sigma: float, angle: float) -> NDArray[np.float64]:
    """`picture` (H, W, C) moved along `angle`, in degrees, and its copies added up, later ones ever fainter.

    The weights are one half of a Gaussian of `sigma` over 2 × `radius` + 1 steps of a pixel each, as in
    ImageMagick's motion blur, by which the original was made; steps are rounded to pixels, edges repeated.
    """
    steps = np.arange(2 * radius + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    result = np.zeros_like(picture)
    direction = np.deg2rad(angle)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        offset = np.rint(step * np.array([np.sin(direction), np.cos(direction)])).astype(int)
        result += weight * moved(picture, *offset)
    return result


def moved(picture: NDArray[np.float64], down: int, right: int) -> NDArray[np.float64]:
    """`picture` (H, W, C) moved by whole pixels, its edges repeated."""
    rows = np.clip(np.arange(picture.shape[0]) - down, 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(picture.shape[1]) - right, 0, picture.shape[1] - 1)
    return picture[np.ix_(rows, columns)]
