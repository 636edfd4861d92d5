"""The images that are sent, always the same bytes, and the requests around them."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLE = Path(__file__).parents[2] / "app" / "static" / "samples" / "cat.png"
BOUNDARY = "resnet-serve-benchmark"
QUALITY = 90
"""Of the JPEGs, as most cameras and programs write them."""


@dataclass(frozen=True)
class Picture:
    """An image file; `name` is how tables call it, `kind` the second half of its media type."""

    name: str
    kind: str
    content: bytes


@dataclass(frozen=True)
class Body:
    """The body of a request and its media type."""

    content_type: str
    content: bytes


@cache
def pictures() -> dict[str, Picture]:
    """The three images by their names: a small one in two formats, and a large one."""
    with Image.open(SAMPLE) as opened:
        small = opened.convert("RGB")
    made = (
        Picture("32x32-png", "png", _encode(small, "PNG")),
        Picture("32x32-jpeg", "jpeg", _encode(small, "JPEG")),
        Picture("640x480-jpeg", "jpeg", _encode(photo_like(small, 640, 480), "JPEG")),
    )
    return {picture.name: picture for picture in made}


def photo_like(small: Image.Image, width: int, height: int) -> Image.Image:
    """`small` enlarged, with grain of every size, so that decoding it costs what a photo costs."""
    generator = np.random.default_rng(0)
    values = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), np.float32)
    for cell in (16, 8, 4, 2, 1):
        shape = (-(-height // cell), -(-width // cell))
        grain = generator.normal(0, 2, shape).astype(np.float32)
        values = values + np.kron(grain, np.ones((cell, cell), np.float32))[:height, :width, np.newaxis]
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))


def raw(picture: Picture) -> Body:
    """The image as it is."""
    return Body(f"image/{picture.kind}", picture.content)


def multipart(picture: Picture) -> Body:
    """The image as the field `file` of a form, as a browser sends it."""
    head = (
        f"--{BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{picture.name}.{picture.kind}"\r\n'
        f"Content-Type: image/{picture.kind}\r\n\r\n"
    )
    content = head.encode() + picture.content + f"\r\n--{BOUNDARY}--\r\n".encode()
    return Body(f"multipart/form-data; boundary={BOUNDARY}", content)


FORMS: dict[str, Callable[[Picture], Body]] = {"multipart": multipart, "raw": raw}


def _encode(image: Image.Image, form: str) -> bytes:
    written = io.BytesIO()
    image.save(written, form, quality=QUALITY)
    return written.getvalue()
