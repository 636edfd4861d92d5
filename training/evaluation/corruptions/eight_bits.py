"""From a picture's numbers to the 8 bits of an image, and back."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.evaluation.corruptions.picture import Picture


def to_bytes(picture: Picture) -> NDArray[np.uint8]:
    """Values in 0..1 as 0..255, cut off at both ends and, as in CIFAR-10-C, rounded down."""
    # A hair above, so that a value that came from 8 bits goes back to the same ones.
    return np.floor(np.clip(picture, 0, 1) * 255 + 1e-6).astype(np.uint8)


def to_image(picture: Picture) -> Image.Image:
    return Image.fromarray(to_bytes(picture))


def from_image(image: Image.Image) -> Picture:
    return np.asarray(image.convert("RGB"), dtype=np.float64) / 255
