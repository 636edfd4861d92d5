"""Bytes to an upright image in sRGB, under limits. The same for serving and for training on image files."""

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from models.preprocessing.formats import bmp, gif, heif, jpeg, png, webp
from models.preprocessing.image_error import ImageError
from models.preprocessing.orientation import FAR_EDGE_AT_LEFT, FAR_EDGE_AT_TOP, SIDES_SWAPPED, TURNS
from models.preprocessing.picture import Picture, Stored
from models.preprocessing.stopping import Stop
from models.preprocessing.strips import strips


@dataclass(frozen=True)
class Format:
    """`is_mine` looks at a file's first bytes; `inspect` reads its structure, or raises `ImageError`."""

    is_mine: Callable[[bytes], bool]
    inspect: Callable[[bytes], Picture]


FORMATS: dict[str, Format] = {
    "JPEG": Format(lambda content: content.startswith(jpeg.SIGNATURE), jpeg.inspect),
    "PNG": Format(lambda content: content.startswith(png.SIGNATURE), png.inspect),
    "WebP": Format(webp.is_webp, webp.inspect),
    "GIF": Format(lambda content: content.startswith(gif.SIGNATURES), gif.inspect),
    "BMP": Format(lambda content: content.startswith(bmp.SIGNATURE), bmp.inspect),
    "AVIF": Format(heif.is_avif, heif.inspect_avif),
    "HEIC": Format(heif.is_heic, heif.inspect_heic),
}
"""The formats we accept; neither a file's name nor its stated type is trusted."""


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


def inspect(content: bytes, max_pixels: int) -> Picture:
    """What `content` holds, its size and what it will cost, before any pixel is decoded.

    Raises `ImageError` for what is no picture in one of `FORMATS`, or one of more than `max_pixels`.
    """
    if not content:
        raise ImageError("empty_file", "the file is empty")
    for known in FORMATS.values():
        if known.is_mine(content):
            picture = known.inspect(content)
            break
    else:
        raise ImageError("unsupported_image", f"not an image in one of the formats {', '.join(FORMATS)}")
    if picture.width * picture.height > max_pixels:
        size = f"{picture.width}x{picture.height}"
        message = f"the image has {size} pixels; at most {max_pixels} are accepted"
        raise ImageError("image_too_large", message)
    return picture


def decode(content: bytes, max_pixels: int, shortest_side: int | None = None) -> Decoded:
    """What `inspect` and `decode_picture` do one after the other. Raises `ImageError`, and nothing else."""
    return decode_picture(inspect(content, max_pixels), shortest_side)


def decode_picture(picture: Picture, shortest_side: int | None = None, stop: Stop | None = None) -> Decoded:
    """Decode the first frame of a picture to an upright image of mode RGB, as browsers show it.

    It is turned as Exif says, so that the size is what a viewer shows. Colours become sRGB, from what an ICC
    profile says, code points (in AVIF and HEIC without a profile and in PNG before it), or, in a PNG, gAMA
    and cHRM. Code points of high dynamic range (PQ, HLG) are passed over. Transparency is composed over
    white: it is the page on which people mostly see such images, and what lies under full transparency is
    arbitrary. 16-bit samples keep their high byte, CMYK becomes RGB (Adobe's inverted form too). The first
    frame of an animated PNG is taken to be the picture that viewers without animation show, although it need
    not be part of the animation.

    With `shortest_side`, the side in pixels that the picture will be scaled to, a large JPEG is decoded at a
    half, a quarter or an eighth of its scale, by libjpeg's inverse cosine transform of fewer coefficients.
    Its shorter side stays at least `jpeg.REDUCED_TO_SHORTEST` times as long as `shortest_side`; smaller JPEGs
    and other formats are decoded in full. Scaled on to `shortest_side` by way of `box`, a photo of at most
    16:1 differs from one decoded in full by at most 1 of 255 levels on average and by at most 12 at any
    pixel, as tests/bench/decoding.py measures.

    Raises `ImageError` for a damaged file, and `StoppedError` soon after `stop` was asked: at once between
    two blocks of a JPEG, PNG, GIF or BMP, while other formats are decoded in one piece.
    """
    stop = stop or Stop()
    stored = picture.read(stop, shortest_side)
    stop.check()
    return _upright(_to_srgb(stored, picture, stop), picture, stored.reduction)


def _upright(image: Image.Image, picture: Picture, reduction: int) -> Decoded:
    orientation = picture.orientation
    width, height = picture.width, picture.height
    if orientation in TURNS:
        image = image.transpose(TURNS[orientation])
    if orientation in SIDES_SWAPPED:
        width, height = height, width
    reduced_width, reduced_height = width / reduction, height / reduction
    # libjpeg rounds up, and fills what is beyond the stored picture's right and bottom edges.
    left = image.width - reduced_width if orientation in FAR_EDGE_AT_LEFT else 0.0
    top = image.height - reduced_height if orientation in FAR_EDGE_AT_TOP else 0.0
    return Decoded(image, width, height, (left, top, left + reduced_width, top + reduced_height))


def _to_srgb(stored: Stored, picture: Picture, stop: Stop) -> Image.Image:
    """An image of mode RGB, in sRGB and over white."""
    image, colours = stored.image, picture.colours
    if stored.mask is None and image.mode == "RGB":
        if not colours.are_srgb("RGB"):
            for strip in strips(image.size, stop):
                image.paste(colours.to_srgb(image.crop(strip)), strip)
        return image
    page = Image.new("RGB", image.size, "white")
    for strip in strips(image.size, stop):
        part = image.crop(strip)
        mask = None if stored.mask is None else stored.mask.crop(strip)
        if part.mode == "LA":
            part, mask = part.split()  # grey stays grey, for a profile of grey
        elif part.has_transparency_data:
            part = part.convert("RGBA")
            mask = part.getchannel("A")
        if part.mode not in ("L", "RGB", "CMYK"):
            part = part.convert("L" if part.mode == "1" else "RGB")
        page.paste(colours.to_srgb(part), strip, mask)
    return page
