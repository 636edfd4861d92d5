"""A camera that moves towards its object while it takes the picture: enlargements added up."""

import numpy as np

from training.evaluation.corruptions.picture import Picture, zoomed

ENLARGEMENTS = (6, 11, 16, 21, 26)
"""How many, by severity: from 1 on in steps of 0.01.

The original has 7 and 12 at severities 1 and 2, where the rounding of `np.arange(1, 1.06, 0.01)` adds the end
that it is to leave out.
"""


def zoom_blur(picture: Picture, severity: int, _random: np.random.Generator) -> Picture:
    factors = 1 + 0.01 * np.arange(ENLARGEMENTS[severity - 1])
    return (picture + sum(zoomed(picture, factor) for factor in factors)) / (len(factors) + 1)
