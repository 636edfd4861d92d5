"""A JPEG of low quality, with Pillow's usual halving of colour in both directions."""

import io

import numpy as np
from PIL import Image

from training.evaluation.corruptions.eight_bits import from_image, to_image
from training.evaluation.corruptions.picture import Picture

QUALITY = (80, 65, 58, 50, 40)
"""By severity."""


def jpeg_compression(picture: Picture, severity: int, _random: np.random.Generator) -> Picture:
    file = io.BytesIO()
    to_image(picture).save(file, "JPEG", quality=QUALITY[severity - 1])
    with Image.open(file) as image:
        return from_image(image)
