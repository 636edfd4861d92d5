"""Which way up a picture is to be shown, as Exif says it."""

import struct

from PIL import Image

TURNS: dict[int, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The value of the Exif orientation tag, and what turns the stored pixels upright."""

SIDES_SWAPPED = (5, 6, 7, 8)
"""Orientations by which width becomes height."""

FAR_EDGE_AT_LEFT = (2, 3, 6, 7)
"""Orientations that bring the stored right edge to the left; the bottom edge, where the sides are swapped."""

FAR_EDGE_AT_TOP = (3, 4, 7, 8)

EXIF_PREFIX = b"Exif\0\0"

_ORIENTATION_TAG = 0x0112
_SHORT = 3
_LAYOUTS = {b"II": "<", b"MM": ">"}


def exif_orientation(exif: bytes) -> int:
    """The orientation, 1..8, in Exif data with or without `EXIF_PREFIX`; 1 where none can be read.

    It is told by the first directory alone. Viewers do not turn a picture by what stands in XMP or in text,
    which Pillow would also look into.
    """
    exif = exif.removeprefix(EXIF_PREFIX)
    layout = _LAYOUTS.get(exif[:2])
    if layout is None or len(exif) < 8:
        return 1
    (directory,) = struct.unpack_from(f"{layout}I", exif, 4)
    if directory + 2 > len(exif):
        return 1
    (entries,) = struct.unpack_from(f"{layout}H", exif, directory)
    start, end = directory + 2, min(directory + 2 + 12 * entries, len(exif))
    table = exif[start : end - (end - start) % 12]
    for tag, kind, count, value, _ in struct.iter_unpack(f"{layout}HHIHH", table):
        if tag == _ORIENTATION_TAG:
            return value if kind == _SHORT and count == 1 and 1 <= value <= 8 else 1
    return 1
