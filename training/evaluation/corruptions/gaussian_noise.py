"""Noise of a sensor in bad light: a normal number added to every value."""

import numpy as np

from training.evaluation.corruptions.picture import Picture

SCALE = (0.04, 0.06, 0.08, 0.09, 0.10)
"""Standard deviation by severity."""


def gaussian_noise(picture: Picture, severity: int, random: np.random.Generator) -> Picture:
    return picture + random.normal(scale=SCALE[severity - 1], size=picture.shape)
