"""Coarse pixels: the picture made smaller and larger again, each time by the mean of what is below."""

import numpy as np
from PIL import Image

from training.evaluation.corruptions.eight_bits import from_image, to_image
from training.evaluation.corruptions.picture import Picture

SHRUNK = (0.95, 0.9, 0.85, 0.75, 0.65)
"""Of the side, in whole pixels, by severity."""


def pixelate(picture: Picture, severity: int, _random: np.random.Generator) -> Picture:
    image = to_image(picture)
    small = tuple(max(1, int(side * SHRUNK[severity - 1])) for side in image.size)
    box = Image.Resampling.BOX
    return from_image(image.resize((small[0], small[1]), box).resize(image.size, box))
