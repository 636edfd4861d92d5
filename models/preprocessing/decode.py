"""Bytes to an RGB image, under limits. The same for serving and for training on image files."""

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

_SIDES_SWAPPED = (5, 6, 7, 8)
"""Orientations by which width becomes height."""

_FAR_EDGE_AT_LEFT = (2, 3, 6, 7)
"""Orientations that bring the stored right edge to the left; the bottom edge, where the sides are swapped."""

_FAR_EDGE_AT_TOP = (3, 4, 7, 8)

_REDUCTIONS = (8, 4, 2)
"""By what libjpeg can divide both sides while it decodes, for less work than in full."""

REDUCED_TO_SHORTEST = 3
"""A reduced image's shorter side is at least this many times the `shortest_side` that `decode` was given."""


class ImageError(ValueError):
    """The bytes are not an image we accept.

    `code` is one of `empty_file`, `unsupported_image`, `damaged_image`, `image_too_large`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Decoded:
    """An upright image, and the size that it has at full scale.

    `image` is of mode RGB, and may be at a reduced scale. `width` and `height` are in pixels of the file.
    `box` is the part of `image` that shows the picture (left, top, right, bottom, in pixels and fractions of
    pixels): all of it at full scale, while at a reduced one a fraction of the last row and column may be
    filling. Scaled on by way of the box, every pixel keeps its place.
    """

    image: Image.Image
    width: int
    height: int
    box: tuple[float, float, float, float]


def decode(content: bytes, max_pixels: int, shortest_side: int | None = None) -> Decoded:
    """Decode the first frame of a JPEG, PNG, WebP, GIF or BMP file to an upright image of mode RGB.

    The size is read from the header, and an image of more than `max_pixels` is refused before any pixel is
    decoded. EXIF rotation is applied, so that the size is what a viewer shows. Transparency is composed over
    white: it is the page on which people mostly see such images, and what lies under full transparency is
    arbitrary. 16-bit samples keep their high byte, CMYK becomes RGB (Adobe's inverted form too).

    With `shortest_side`, the side in pixels that the picture will be scaled to, a large JPEG is decoded at a
    half, a quarter or an eighth of its scale, by libjpeg's inverse cosine transform of fewer coefficients.
    Its shorter side stays at least `REDUCED_TO_SHORTEST` times as long as `shortest_side`; smaller JPEGs and
    other formats are decoded in full. Scaled on to `shortest_side` by way of `box`, a photo of at most 16:1
    differs from one decoded in full by at most 1 of 255 levels on average and by at most 12 at any pixel, as
    tests/bench/decoding.py measures.

    Raises `ImageError`, and nothing else, for anything that is not such an image.
    """
    name = sniff(content)
    try:
        image = Image.open(io.BytesIO(content), formats=(name,))
        full_size = image.size
        _check_size(full_size, max_pixels)
        reduction = _reduce(image, shortest_side) if name == "JPEG" and shortest_side is not None else 1
        try:
            image.load()
        except OSError:
            if reduction == 1:
                raise
            # libjpeg cannot reduce a lossless JPEG; and what is damaged is for the full decode to say.
            return decode(content, max_pixels)
        if reduction == 1:
            # A GIF's frame can be larger than the screen its header states.
            full_size = image.size
            _check_size(full_size, max_pixels)
        return _upright(image, full_size, reduction)
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


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise _too_large(f"{width}x{height}", max_pixels)


def _too_large(pixels: str, max_pixels: int) -> ImageError:
    return ImageError("image_too_large", f"the image has {pixels} pixels; at most {max_pixels} are accepted")


def _reduce(image: Image.Image, shortest_side: int) -> int:
    """Have a JPEG, not decoded yet, decoded at a reduced scale; returns the divisor, 1 for full scale."""
    width, height = image.size
    for reduction in _REDUCTIONS:
        if min(width, height) >= reduction * REDUCED_TO_SHORTEST * shortest_side:
            # Pillow takes the largest divisor that leaves at least this size.
            drafted = image.draft(None, (width // reduction, height // reduction))
            return reduction if drafted is not None else 1
    return 1


def _upright(image: Image.Image, full_size: tuple[int, int], reduction: int) -> Decoded:
    orientation = _orientation(image)
    rgb = _to_rgb(image)
    turn = _ORIENTATIONS.get(orientation)
    if turn is not None:
        rgb = rgb.transpose(turn)
    width, height = reversed(full_size) if orientation in _SIDES_SWAPPED else full_size
    reduced_width, reduced_height = width / reduction, height / reduction
    # libjpeg rounds up, and fills what is beyond the stored picture's right and bottom edges.
    left = rgb.width - reduced_width if orientation in _FAR_EDGE_AT_LEFT else 0.0
    top = rgb.height - reduced_height if orientation in _FAR_EDGE_AT_TOP else 0.0
    return Decoded(rgb, width, height, (left, top, left + reduced_width, top + reduced_height))


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
    # The image is ours alone, so there is no need of the copy that `convert` would make.
    return image if image.mode == "RGB" else image.convert("RGB")


def _high_byte(image: Image.Image) -> Image.Image:
    """Of 16-bit grey, what Pillow does for 16-bit colour; its own conversion would cut values off at 255."""
    values = np.asarray(image)
    grey = Image.fromarray((values >> 8).astype(np.uint8))
    if "transparency" in image.info:
        opaque = values != image.info["transparency"]
        grey.putalpha(Image.fromarray(np.where(opaque, 255, 0).astype(np.uint8)))
    return grey
