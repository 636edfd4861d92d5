"""Fog: a cloud of light over the picture, by the diamond-square algorithm.

Source: Fournier, Fussell, Carpenter, "Computer rendering of stochastic models", 1982,
https://doi.org/10.1145/358523.358553.
"""

import numpy as np
from numpy.typing import NDArray

from training.evaluation.corruptions.picture import Picture

FOGS = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))
"""How thick, and how fast the cloud's roughness falls from one scale to the next finer one, by severity."""
ROUGHNESS = 100.0
"""At the coarsest scale, against heights of 0 at the corners; only its fall counts, for heights are
scaled."""


def plasma(size: int, decay: float, random: np.random.Generator) -> NDArray[np.float64]:
    """Heights (size, size) in 0..1 that repeat at the edges; `size` is a power of two."""
    heights = np.zeros((size, size))
    step, roughness = size, ROUGHNESS
    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        corners = corners + np.roll(corners, -1, axis=0)
        corners = corners + np.roll(corners, -1, axis=1)
        heights[half::step, half::step] = _near(corners / 4, roughness, random)
        centres, corners = heights[half::step, half::step], heights[::step, ::step]
        above = corners + np.roll(corners, -1, axis=1) + centres + np.roll(centres, 1, axis=0)
        heights[::step, half::step] = _near(above / 4, roughness, random)
        beside = corners + np.roll(corners, -1, axis=0) + centres + np.roll(centres, 1, axis=1)
        heights[half::step, ::step] = _near(beside / 4, roughness, random)
        step, roughness = half, roughness / decay
    heights -= heights.min()
    return np.asarray(heights / heights.max())


def _near(mean: NDArray[np.float64], roughness: float, random: np.random.Generator) -> NDArray[np.float64]:
    # The square of the roughness, as the corruption is defined.
    return mean + roughness * random.uniform(-roughness, roughness, mean.shape)


def fog(picture: Picture, severity: int, random: np.random.Generator) -> Picture:
    thickness, decay = FOGS[severity - 1]
    height, width = picture.shape[:2]
    size = 1 << (max(height, width, 2) - 1).bit_length()
    cloud = plasma(size, decay, random)[:height, :width, None]
    brightest = picture.max()
    return np.asarray((picture + thickness * cloud) * brightest / (brightest + thickness))
