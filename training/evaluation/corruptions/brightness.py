"""More light: the value of HSV raised, hue and saturation kept."""

import numpy as np

from training.evaluation.corruptions.picture import Picture

ADDED = (0.05, 0.1, 0.15, 0.2, 0.3)
"""To the value, by severity."""


def brightness(picture: Picture, severity: int, _random: np.random.Generator) -> Picture:
    # Value is the largest channel; with hue and saturation kept, all channels grow in proportion to it.
    value = picture.max(axis=2, keepdims=True)
    raised = np.clip(value + ADDED[severity - 1], 0, 1)
    return np.asarray(np.where(value > 0, picture * raised / np.where(value > 0, value, 1), raised))
