"""Salt and pepper: values that a fault has turned to 0 or to 1."""

import numpy as np

from training.evaluation.corruptions.picture import Picture

SHARE = (0.01, 0.02, 0.03, 0.05, 0.07)
"""Of the values, by severity; half of them become 1, half 0."""


def impulse_noise(picture: Picture, severity: int, random: np.random.Generator) -> Picture:
    hit = random.random(picture.shape) < SHARE[severity - 1]
    salt = random.random(picture.shape) < 0.5
    return np.where(hit, salt.astype(np.float64), picture)
