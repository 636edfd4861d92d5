"""Frost on the lens: needles of ice over a darkened picture.

The original lays a random part of one of five photographs of frost over the picture. Those are not ours to
pass on, so that here the texture is computed: needles that grow from a few seeds in bundles of crystal
directions, over a faint rime. Severities are the original's, the texture is not: figures for frost do not
compare with those published for CIFAR-10-C to the last point.
"""

import numpy as np
from numpy.typing import NDArray

from training.evaluation.corruptions.picture import Picture, blurred

MIXES = ((1.0, 0.2), (1.0, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))
"""The shares of picture and frost, by severity; they need not sum up to 1."""
SEEDS = 6
"""From which ice grows, on an average texture."""
NEEDLES = 14
"""In each bundle."""
ICE = np.array([0.86, 0.93, 1.0])
"""The colour of ice in full light: bluish."""


def frost_texture(size: int, random: np.random.Generator) -> NDArray[np.float64]:
    """A texture (size, size, 3) in 0..1; no two are alike."""
    rows, columns = np.mgrid[:size, :size]
    ice = np.zeros((size, size))
    for _ in range(1 + random.poisson(SEEDS - 1)):
        row, column = random.uniform(0, size, 2)
        first = random.uniform(0, np.pi)
        for needle in range(NEEDLES):
            # Ice is six-sided: directions lie about multiples of 60°.
            angle = first + needle * np.pi / 3 + random.normal(scale=0.12)
            length, width = random.uniform(0.15, 0.75) * size, random.uniform(0.3, 0.9)
            along = (rows - row) * np.sin(angle) + (columns - column) * np.cos(angle)
            across = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
            inside = (along >= 0) & (along <= length)
            taper = width * (1 - np.clip(along / length, 0, 1)) + 0.15
            ice = np.maximum(ice, inside * np.exp(-((across / taper) ** 2)) * random.uniform(0.5, 1.0))
    rime = blurred(random.random((size, size, 1)), 1.5)[:, :, 0]
    rime = (rime - rime.min()) / (np.ptp(rime) + 1e-12)
    return np.asarray(np.clip(0.25 + 0.35 * rime + 0.6 * ice, 0, 1)[:, :, None] * ICE)


def frost(picture: Picture, severity: int, random: np.random.Generator) -> Picture:
    of_picture, of_frost = MIXES[severity - 1]
    height, width = picture.shape[:2]
    texture = frost_texture(max(height, width), random)[:height, :width]
    return of_picture * picture + of_frost * texture
