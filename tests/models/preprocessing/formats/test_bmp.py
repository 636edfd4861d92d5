"""BMP: every kind of header and pixels is read, or refused as one that is not; none is called damaged."""

import struct

import numpy as np
import pytest
from PIL import Image

from models.preprocessing.decode import decode, inspect
from models.preprocessing.formats import bmp_runs
from models.preprocessing.image_error import ImageError
from tests.support.colour_profiles import in_srgb, rgb_profile
from tests.support.image_files import saved

COLOURS = [[200, 30, 40], [30, 160, 60], [40, 60, 190]]
"""Of three pixels in a row."""

WHITE = [255, 255, 255]


def bmp(
    depth: int,
    pixels: bytes,
    compression: int = 0,
    header_size: int = 40,
    extra: bytes = b"",
    size: tuple[int, int] = (3, 1),
    palette: bytes = b"",
) -> bytes:
    """`extra` stands behind the 40 bytes that all but the oldest headers begin with: masks, for example."""
    width, height = size
    if header_size == 12:
        header = struct.pack("<IHHHH", 12, width, height, 1, depth)
    else:
        fields = (header_size, width, height, 1, depth, compression, len(pixels), 0, 0, len(palette) // 4, 0)
        header = struct.pack("<IiiHHIIiiII", *fields)[:header_size].ljust(header_size, b"\0")
        header = header[:40] + extra + header[40 + len(extra) :]
    start = 14 + len(header) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + palette + pixels


def shown(content: bytes) -> list[list[list[int]]]:
    levels: list[list[list[int]]] = np.asarray(decode(content, 1000).image).tolist()
    return levels


def palette(entry: int) -> bytes:
    return b"".join(bytes([*reversed(colour)]) + b"\0" * (entry - 3) for colour in COLOURS)


BGR = b"".join(bytes([*reversed(colour)]) for colour in COLOURS) + bytes(3)


@pytest.mark.parametrize("header_size", [12, 16, 24, 40, 52, 56, 64, 108, 124])
def test_headers_of_every_version(header_size: int) -> None:
    assert shown(bmp(24, BGR, header_size=header_size)) == [COLOURS]


@pytest.mark.parametrize(("depth", "row"), [(2, 0b00011000), (4, 0x01), (8, 0x00)])
def test_palettes_of_every_depth(depth: int, row: int) -> None:
    pixels = {2: bytes([row, 0, 0, 0]), 4: b"\x01\x20\0\0", 8: b"\0\1\2\0"}[depth]
    assert shown(bmp(depth, pixels, palette=palette(4))) == [COLOURS]


def test_one_bit_and_the_oldest_palette_of_three_bytes() -> None:
    content = bmp(1, b"\x40\0\0\0", header_size=12, palette=palette(3)[:6])
    assert shown(content) == [[COLOURS[0], COLOURS[1], COLOURS[0]]]


def masked(depth: int, masks: tuple[int, ...], fields: list[list[int]]) -> bytes:
    shifts = [(mask & -mask).bit_length() - 1 for mask in masks]
    values = [sum(part << shift for part, shift in zip(pixel, shifts, strict=True)) for pixel in fields]
    pixels = struct.pack(f"<3{'H' if depth == 16 else 'I'}", *values).ljust(12 if depth == 32 else 8, b"\0")
    extra = struct.pack(f"<{len(masks)}I", *masks)
    header_size = 40 + len(extra)
    return bmp(depth, pixels, 3, header_size, extra)


def test_masks_in_any_order_and_width() -> None:
    assert shown(masked(32, (0xFF, 0xFF00, 0xFF0000), COLOURS)) == [COLOURS]
    assert shown(masked(32, (0xFF000000, 0xFF00, 0xFF0000), COLOURS)) == [COLOURS]
    nibbles = [[12, 1, 2], [1, 10, 3], [2, 3, 11]]
    expected = [[17 * part for part in pixel] for pixel in nibbles]
    assert shown(masked(16, (0x0F00, 0x00F0, 0x000F), nibbles)) == [expected]
    tens = [[part << 2 for part in pixel] for pixel in COLOURS]
    assert shown(masked(32, (0x3FF00000, 0xFFC00, 0x3FF), tens)) == [COLOURS]


def test_masks_behind_a_header_of_40_bytes() -> None:
    pixels = struct.pack("<3H", 0x0F00, 0x00F0, 0x000F) + b"\0\0"
    masks = struct.pack("<3I", 0x0F00, 0x00F0, 0x000F)
    content = bmp(16, pixels, 3, palette=masks)
    assert shown(content) == [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]


def test_a_mask_for_alpha_is_used_unless_all_is_transparent() -> None:
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    assert shown(masked(32, masks, [[*COLOURS[0], 0], [*COLOURS[1], 255], [*COLOURS[2], 255]])) == [
        [WHITE, *COLOURS[1:]]
    ]
    assert shown(masked(32, masks, [[*colour, 0] for colour in COLOURS])) == [COLOURS]


def test_16_bits_without_masks_are_five_for_each_colour() -> None:
    pixels = struct.pack("<3H", 0x7C00, 0x03E0, 0x001F) + b"\0\0"
    assert shown(bmp(16, pixels)) == [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]


def test_rows_stand_from_bottom_to_top_unless_the_height_is_negative() -> None:
    rows = b"\0\0\0\0" + b"\1\0\0\0"
    bottom_up = [[COLOURS[1]], [COLOURS[0]]]
    assert shown(bmp(8, rows, size=(1, 2), palette=palette(4))) == bottom_up
    assert shown(bmp(8, rows, size=(1, -2), palette=palette(4))) == bottom_up[::-1]


def test_an_embedded_profile_is_used() -> None:
    """Its place is counted from the header on."""

    def with_profile(profile: bytes, kind: bytes, length: int) -> bytes:
        fields = bytes(16) + kind + bytes(48) + struct.pack("<4I", 4, 124 + len(BGR), length, 0)
        return bmp(24, BGR, header_size=124, extra=fields) + profile

    profile = rgb_profile()
    converted = shown(with_profile(profile, b"DEBM", len(profile)))
    expected = [in_srgb((red, green, blue)) for red, green, blue in COLOURS]
    assert np.abs(np.array(converted) - [expected]).max() <= 3
    assert shown(with_profile(profile, b"BGRs", len(profile))) == [COLOURS]
    assert shown(with_profile(profile[:100], b"DEBM", 4_000_000_000)) == [COLOURS]


def test_runs_of_8_and_of_4_bits_and_pixels_that_are_skipped() -> None:
    """Two rows of three: a run and its end, then two single pixels and a jump over the last."""
    eight = bytes([3, 1, 0, 0, 1, 0, 1, 2, 0, 2, 1, 0, 0, 1])
    expected = [[COLOURS[0], COLOURS[2], WHITE], [COLOURS[1]] * 3]
    assert shown(bmp(8, eight, 1, size=(3, 2), palette=palette(4))) == expected
    four = bytes([3, 0x11, 0, 0, 2, 0x02, 0, 1])
    assert shown(bmp(4, four, 2, size=(3, 2), palette=palette(4))) == expected


def test_runs_are_no_quick_work_whatever_their_size() -> None:
    assert not inspect(bmp(8, bytes([1, 1] * 4), 1, palette=palette(4)), 1000).is_quick
    assert inspect(bmp(24, BGR), 1000).is_quick


def test_single_pixels_are_filled_up_to_whole_words() -> None:
    absolute = bytes([0, 3, 0, 1, 2, 0, 0, 1])
    assert shown(bmp(8, absolute, 1, palette=palette(4))) == [COLOURS]
    assert shown(bmp(4, bytes([0, 3, 0x01, 0x20, 0, 1]), 2, palette=palette(4))) == [COLOURS]


def test_too_many_bytes_of_runs_are_refused() -> None:
    runs = bytes([0, 2, 0, 0]) * (bmp_runs.MAX_RUN_BYTES // 4 + 1)
    with pytest.raises(ImageError, match="too many bytes of runs") as caught:
        decode(bmp(8, runs, 1, palette=palette(4)), 1000)
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (bmp(24, BGR, 4, header_size=64), "runs of 24 bits"),
        (bmp(1, bytes(8), 3, header_size=64), "Huffman coding"),
        (bmp(24, BGR, 4), "JPEG inside"),
        (bmp(24, BGR, 5), "PNG inside"),
        (bmp(24, BGR, 11), "compression 11"),
        (bmp(64, BGR), "64 bits a pixel"),
        (bmp(24, BGR, header_size=200), "a header of 200 bytes"),
    ],
)
def test_kinds_that_are_not_read_are_named(content: bytes, kind: str) -> None:
    with pytest.raises(ImageError, match=kind) as caught:
        decode(content, 1000)
    assert caught.value.code == "unsupported_image"


def test_pillows_own_files_come_out_as_it_reads_them() -> None:
    noise = Image.effect_noise((1001, 700), 90)
    colour = Image.merge("RGB", (noise, noise.rotate(90), noise.rotate(180)))
    for image in (colour, noise, noise.convert("1"), colour.quantize(200)):
        decoded = decode(saved(image, "BMP"), 1_000_000).image
        assert decoded.tobytes() == image.convert("RGB").tobytes()
