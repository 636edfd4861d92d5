"""Noise of light itself, which comes in single photons: every value drawn from a Poisson distribution."""

import numpy as np

from training.evaluation.corruptions.picture import Picture

PHOTONS = (500, 250, 100, 75, 50)
"""That a white pixel receives, by severity."""


def shot_noise(picture: Picture, severity: int, random: np.random.Generator) -> Picture:
    photons = PHOTONS[severity - 1]
    return random.poisson(picture * photons) / photons
