"""An image as the text of a small PNG, to be kept in report.json and shown on a page."""

import base64
import io

from PIL import Image
from torch import Tensor

LONGEST_SIDE = 96
"""Larger images are reduced to this many pixels: forty of them are to stay under a megabyte."""


def thumbnail(image: Tensor) -> str:
    """Uint8 `image` (C, H, W), C 1 or 3, as base64 of a PNG, exact up to `LONGEST_SIDE` pixels a side."""
    pixels = image.permute(1, 2, 0).cpu().numpy()
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode("ascii")


def decode_thumbnail(text: str) -> Image.Image:
    """The picture that `thumbnail` made. Raises `ValueError` for a text that is none."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",)) as picture:
            return picture.convert("RGB")
    except OSError as error:
        raise ValueError(f"thumbnail: not a PNG ({error})") from error
