"""A camera that moves while it takes the picture, in a direction within 45° of the horizontal."""

import numpy as np

from training.evaluation.corruptions.picture import Picture, smeared

MOTION = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))
"""Radius of the kernel and standard deviation of its weights, in pixels, by severity."""


def motion_blur(picture: Picture, severity: int, random: np.random.Generator) -> Picture:
    radius, sigma = MOTION[severity - 1]
    return smeared(picture, radius, sigma, random.uniform(-45, 45))
