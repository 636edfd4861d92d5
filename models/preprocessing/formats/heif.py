"""AVIF and HEIC, which share a container (ISO/IEC 23008-12). HEIC needs the package of the extra `heic`."""

from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec

from PIL import AvifImagePlugin, Image

from models.preprocessing.coded_colours import by_code_points_in_part
from models.preprocessing.colours import SRGB, Colours, by_profile
from models.preprocessing.formats.avif_boxes import StreamError
from models.preprocessing.formats.avif_colours import code_points
from models.preprocessing.formats.avif_streams import frames_of
from models.preprocessing.formats.avif_tables import require_few_entries
from models.preprocessing.formats.high_bytes import high_bytes
from models.preprocessing.formats.pillow import damage_told, opened
from models.preprocessing.image_error import ImageError, damaged, unsupported
from models.preprocessing.orientation import exif_orientation
from models.preprocessing.picture import Stored
from models.preprocessing.stopping import Stop, StoppableFile

# A picture is decoded by one thread; a decoder with threads of its own would take the cores of others.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"}
_PILLOW_NAMES = {"AVIF": "AVIF", "HEIC": "HEIF"}
_MODES = ("L", "LA", "RGB", "RGBA", "RGBa")
"""Pillow's names; the last one is that of colours that are multiplied by their alpha already."""

_BYTES_PER_PIXEL = 24
"""The decoder's planes, its RGB picture, the copies that Pillow takes of it, and the upright one."""

_LARGEST_PIECE = 256 * 256
"""Pixels of a frame that are taken for no more than a small picture, whatever the header says."""


@dataclass(frozen=True)
class Heif:
    """`content` is the whole file, `name` AVIF or HEIC; `width` and `height` are those that Pillow tells."""

    width: int
    height: int
    orientation: int
    colours: Colours
    content: bytes
    name: str
    passes: int = 1
    is_quick: bool = False

    def memory(self, shortest_side: int | None) -> int:  # noqa: ARG002
        return _BYTES_PER_PIXEL * self.width * self.height

    def read(self, stop: Stop, shortest_side: int | None) -> Stored:  # noqa: ARG002
        stop.check()
        image = opened(StoppableFile(self.content, stop), _PILLOW_NAMES[self.name], self.name)
        with damage_told(self.name):
            image.load()
        if image.size != (self.width, self.height):
            raise damaged(self.name)
        if image.mode.startswith("I;16"):
            # Grey of more than 8 bits, which the package for HEIC spreads over 16; of colours it makes 8.
            image = high_bytes(image, stop)
        if image.mode not in _MODES:
            raise unsupported(self.name, f"pixels of mode {image.mode}")
        return Stored(image)


def is_avif(content: bytes) -> bool:
    return not _AVIF_BRANDS.isdisjoint(_brands(content))


def is_heic(content: bytes) -> bool:
    return not is_avif(content) and not _HEIC_BRANDS.isdisjoint(_brands(content))


def inspect_avif(content: bytes) -> Heif:
    """Raises `ImageError`."""
    try:
        # Before Pillow opens the file, which has libavif read all of its tables.
        require_few_entries(content)
        frames = frames_of(content)
    except StreamError as error:
        raise damaged("AVIF") from error
    found = _inspect(content, "AVIF", frames.code_points)
    declared = found.width * found.height
    # A grid's pictures may go beyond its edges.
    if frames.largest > max(declared, _LARGEST_PIECE):
        raise ImageError("image_too_large", "the AVIF image is larger than its header says")
    return replace(found, passes=-(-frames.pixels // max(declared, _LARGEST_PIECE)))


def inspect_heic(content: bytes) -> Heif:
    """Raises `ImageError`, also where the package for HEIC is not installed."""
    if not can_read_heic():
        raise ImageError("unsupported_image", "HEIC pictures need the extra heic of this service")
    return _inspect(content, "HEIC")


@cache
def can_read_heic() -> bool:
    """Whether the package for HEIC is there; it is made known to Pillow the first time."""
    if find_spec("pillow_heif") is None:
        return False
    from pillow_heif import register_heif_opener

    register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True


def _inspect(content: bytes, name: str, of_stream: tuple[int, int] | None = None) -> Heif:
    image = opened(StoppableFile(content, Stop()), _PILLOW_NAMES[name], name)
    # Pillow has AVIF's own rotation and mirroring written into the Exif data; those of HEIC are applied.
    orientation = exif_orientation(image.info.get("exif", b"")) if name == "AVIF" else 1
    return Heif(*image.size, orientation, _colours(image, content, name, of_stream), content, name)


def _colours(image: Image.Image, content: bytes, name: str, of_stream: tuple[int, int] | None) -> Colours:
    """By the ICC profile, or else by the code points of `nclx`, or else by those of the stream."""
    profile = image.info.get("icc_profile")
    if profile:
        return by_profile(profile, image.width * image.height)
    if name == "AVIF":
        points = code_points(content) or of_stream
    else:
        coded = image.info.get("nclx_profile") or {}
        points = coded.get("color_primaries", 0), coded.get("transfer_characteristics", 0)
    return (by_code_points_in_part(*points) if points else None) or SRGB


def _brands(content: bytes) -> set[bytes]:
    """The main brand and the compatible ones, in the box that such files begin with."""
    if content[4:8] != b"ftyp":
        return set()
    length = min(int.from_bytes(content[:4], "big"), 512)
    return {content[start : start + 4] for start in (8, *range(16, length, 4))}
