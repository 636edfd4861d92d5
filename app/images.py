"""Bytes to an RGB image, under limits. Pure: knows neither HTTP nor the model."""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

# Pillow warns about damaged metadata and about large images. The first does not matter here, the second is
# checked below; and `warnings.catch_warnings` is no way out, because it is not safe in worker threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "WebP": (b"RIFF",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
}
"""The formats we accept and how their files begin; neither a file's name nor its stated type is trusted."""

FORMATS = ", ".join(SIGNATURES)

# What Pillow raises on damaged files, `UnidentifiedImageError` being an `OSError`. An `AssertionError` comes
# from a palette image without palette.
_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    AssertionError,
    EOFError,
    IndexError,
    KeyError,
    OverflowError,
    TypeError,
    struct.error,
    zlib.error,
)

_ORIENTATIONS: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The value of the EXIF orientation tag, and what turns the stored pixels upright."""

_SIDEWAYS = (
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
    Image.Transpose.ROTATE_90,
)
"""Of these, the ones that exchange width and height."""

REDUCED_SIDE = 2
"""How many times the network's input a reduced image is at least; the scaling that follows averages over it.

On photos the input then differs from that of the full decode by 0.9 of 255 levels on average, by 25 at most;
`tests/bench/decoding.py` measures it, and what it means for the accuracy.
"""


class ImageError(ValueError):
    """The bytes are not an image we accept.

    `code` is one of `empty_file`, `unsupported_image`, `damaged_image`, `image_too_large`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Decoded:
    """An upright image of mode RGB, perhaps at a reduced scale; `width` and `height` are those of the file's
    image as a viewer shows it, in pixels."""

    image: Image.Image
    width: int
    height: int


def decode(content: bytes, max_pixels: int, input_size: int | None = None) -> Decoded:
    """Decode the first frame of a JPEG, PNG, WebP, GIF or BMP file.

    The size is read from the header, and an image of more than `max_pixels` is refused before any pixel is
    decoded. EXIF rotation is applied, so that the size is what a viewer shows. Transparency is composed over
    white: it is the page on which people mostly see such images, and what lies under full transparency is
    arbitrary. 16-bit samples keep their high byte, CMYK becomes RGB (Adobe's inverted form too).

    With `input_size`, the side in pixels of the square that the image is to become, a large JPEG is decoded
    at 1/2, 1/4 or 1/8 of its scale, as long as both of its sides stay at least `REDUCED_SIDE` times as long.

    Raises `ImageError`, and nothing else, for anything that is not such an image.
    """
    name = sniff(content)
    try:
        image = Image.open(io.BytesIO(content), formats=(name,))
        width, height = image.size
        _check_size(width, height, max_pixels)
        if input_size is not None and name == "JPEG":
            image.draft(None, (REDUCED_SIDE * input_size, REDUCED_SIDE * input_size))
        image.load()
        if name != "JPEG":
            # A GIF's frame can be larger than the screen its header states.
            width, height = image.size
            _check_size(width, height, max_pixels)
        upright = _ORIENTATIONS.get(_orientation(image))
        rgb = _to_rgb(image)
        if upright is None:
            return Decoded(rgb, width, height)
        turned = rgb.transpose(upright)
        return Decoded(turned, height, width) if upright in _SIDEWAYS else Decoded(turned, width, height)
    except ImageError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise _too_large("too many", max_pixels) from error
    except _DAMAGED as error:
        raise ImageError("damaged_image", f"the {name} image is damaged or cut off") from error


def sniff(content: bytes) -> str:
    """The format's name by the file's first bytes, a key of `SIGNATURES`; raises `ImageError` for others."""
    if not content:
        raise ImageError("empty_file", "the file is empty")
    for name, signatures in SIGNATURES.items():
        if content.startswith(signatures) and (name != "WebP" or content[8:12] == b"WEBP"):
            return name
    raise ImageError("unsupported_image", f"not an image in one of the formats {FORMATS}")


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise _too_large(f"{width}x{height}", max_pixels)


def _too_large(pixels: str, max_pixels: int) -> ImageError:
    return ImageError("image_too_large", f"the image has {pixels} pixels; at most {max_pixels} are accepted")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _DAMAGED:
        # The pixels are sound: show them as stored, as browsers do.
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = _high_byte(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(image, mask=image.getchannel("A"))
        return page
    return image if image.mode == "RGB" else image.convert("RGB")


def _high_byte(image: Image.Image) -> Image.Image:
    """Of 16-bit grey, what Pillow does for 16-bit colour; its own conversion would cut values off at 255."""
    values = np.asarray(image)
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    if "transparency" in image.info:
        opaque = values != image.info["transparency"]
        grey.putalpha(Image.fromarray(np.where(opaque, 255, 0).astype(np.uint8)))
    return grey
