"""The orientation tag is found in any Exif data, and damage to it turns nothing."""

import struct

import pytest
from PIL import Image

from models.preprocessing.orientation import EXIF_PREFIX, exif_orientation


def exif(value: int, layout: str = "<", kind: int = 3, count: int = 1) -> bytes:
    entries = struct.pack(f"{layout}HHIHH", 0x010F, 2, 1, 65, 0)
    entries += struct.pack(f"{layout}HHIHH", 0x0112, kind, count, value, 0)
    start = b"II*\0" if layout == "<" else b"MM\0*"
    return start + struct.pack(f"{layout}IH", 8, 2) + entries + bytes(4)


@pytest.mark.parametrize("layout", ["<", ">"])
@pytest.mark.parametrize("value", range(1, 9))
def test_it_is_read_in_both_byte_orders_with_and_without_prefix(layout: str, value: int) -> None:
    assert exif_orientation(exif(value, layout)) == value
    assert exif_orientation(EXIF_PREFIX + exif(value, layout)) == value


def test_it_agrees_with_what_pillow_writes() -> None:
    written = Image.Exif()
    written[0x0112] = 8
    assert exif_orientation(written.tobytes()) == 8


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II",
        b"garbage!!",
        exif(0),
        exif(9),
        exif(6, kind=4),
        exif(6, count=2),
        exif(6)[:12],
        exif(6)[:30],
    ],
)
def test_what_cannot_be_read_turns_nothing(data: bytes) -> None:
    assert exif_orientation(data) == 1
