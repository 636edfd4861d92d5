"""Less contrast: values drawn towards the mean of their channel."""

import numpy as np

from training.evaluation.corruptions.picture import Picture

KEPT = (0.75, 0.5, 0.4, 0.3, 0.15)
"""Of the distance from the mean, by severity."""


def contrast(picture: Picture, severity: int, _random: np.random.Generator) -> Picture:
    mean = picture.mean(axis=(0, 1), keepdims=True)
    return np.asarray((picture - mean) * KEPT[severity - 1] + mean)
