"""Grey of 16 bits to 8 bits."""

import numpy as np
from PIL import Image

from models.preprocessing.stopping import Stop
from models.preprocessing.strips import strips


def high_bytes(image: Image.Image, stop: Stop) -> Image.Image:
    """What Pillow does for 16-bit colour; its own conversion of grey would cut values off at 255."""
    grey = Image.new("L", image.size)
    for strip in strips(image.size, stop):
        values = np.asarray(image.crop(strip))
        grey.paste(Image.fromarray((values >> 8).astype(np.uint8)), strip)
    return grey
