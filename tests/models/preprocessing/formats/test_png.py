"""PNG: every kind of transparency, what stands beside the pixels, and the bounds on chunks."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from models.preprocessing.decode import decode
from models.preprocessing.formats import png as png_format
from models.preprocessing.image_error import ImageError
from tests.support.colour_profiles import P3_CHROMATICITIES, SRGB_COLUMNS, grey_profile, in_srgb, rgb_profile
from tests.support.image_files import png, png_chunk, saved

WHITE = [255, 255, 255]


def pixels(content: bytes) -> list[list[list[int]]]:
    levels: list[list[list[int]]] = np.asarray(decode(content, 1_000_000).image).tolist()
    return levels


@pytest.mark.parametrize(("depth", "packed"), [(1, 0b0100_0000), (2, 0b0001_1011), (4, 0x01)])
def test_one_level_of_packed_grey_is_transparent(depth: int, packed: int) -> None:
    """By its own number, which is not that of the 8 bits it becomes."""
    transparent = png_chunk(b"tRNS", struct.pack(">H", 1))
    content = png(2, 1, depth, 0, transparent, b"\0" + bytes([packed]))
    assert pixels(content)[0] == [[0, 0, 0], WHITE]


def test_one_colour_of_8_bits_is_transparent() -> None:
    transparent = png_chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))
    content = png(2, 1, 8, 2, transparent, bytes([0, 1, 2, 3, 1, 2, 4]))
    assert pixels(content)[0] == [WHITE, [1, 2, 4]]


def test_bits_of_a_transparent_colour_beyond_the_depth_do_not_count() -> None:
    grey = png(2, 1, 4, 0, png_chunk(b"tRNS", struct.pack(">H", 0xFFF1)), b"\0\x12")
    assert pixels(grey)[0] == [WHITE, [34, 34, 34]]
    transparent = png_chunk(b"tRNS", struct.pack(">3H", 0x8001, 0x102, 3))
    assert pixels(png(2, 1, 8, 2, transparent, bytes([0, 1, 2, 3, 1, 2, 4])))[0] == [WHITE, [1, 2, 4]]


def test_one_colour_of_16_bits_is_compared_in_full() -> None:
    """High bytes alone would make the second pixel transparent as well."""
    transparent = png_chunk(b"tRNS", struct.pack(">3H", 0x1234, 0x5678, 0x9ABC))
    rows = b"\0" + struct.pack(">6H", 0x1234, 0x5678, 0x9ABC, 0x1234, 0x5678, 0x9ABD)
    assert pixels(png(2, 1, 16, 2, transparent, rows))[0] == [WHITE, [0x12, 0x56, 0x9A]]


def test_alpha_of_a_palette_is_kept() -> None:
    palette = png_chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60])) + png_chunk(b"tRNS", b"\0")
    assert pixels(png(2, 1, 8, 3, palette, b"\0\0\1"))[0] == [WHITE, [40, 50, 60]]


def test_a_profile_of_grey_is_used_at_every_depth_and_with_alpha() -> None:
    profile = png_chunk(b"iCCP", b"a\0\0" + zlib.compress(grey_profile(1.0)))
    expected = in_srgb((100, 100, 100), SRGB_COLUMNS, 1.0)
    for depth, kind, row in (
        (8, 0, b"\x64"),
        (16, 0, b"\x64\0"),
        (8, 4, b"\x64\xff"),
        (16, 4, b"\x64\0\xff\0"),
    ):
        (levels,) = pixels(png(1, 1, depth, kind, profile, b"\0" + row))[0]
        assert max(abs(a - b) for a, b in zip(levels, expected, strict=True)) <= 1, (depth, kind)


def test_alpha_of_16_bit_grey_is_kept() -> None:
    row = b"\0" + struct.pack(">4H", 0x6400, 0, 0x6400, 0x8000)
    assert pixels(png(2, 1, 16, 4, b"", row))[0] == [WHITE, [177, 177, 177]]


def test_large_pictures_are_composed_strip_by_strip_as_small_ones() -> None:
    noise = Image.effect_noise((1024, 1200), 90)
    image = Image.merge("RGBA", (noise, noise.rotate(90), noise.rotate(180), noise.rotate(270)))
    page = Image.new("RGB", image.size, "white")
    page.paste(image, mask=image.getchannel("A"))
    assert decode(saved(image, "PNG", compress_level=1), 2_000_000).image.tobytes() == page.tobytes()


def test_gamma_is_converted_to_that_of_srgb() -> None:
    gamma = png_chunk(b"gAMA", struct.pack(">I", 100_000))
    levels = pixels(png(1, 1, extra=gamma, pixels=bytes([0, 200, 30, 40])))[0][0]
    expected = in_srgb((200, 30, 40), SRGB_COLUMNS, 1.0)
    assert max(abs(a - b) for a, b in zip(levels, expected, strict=True)) <= 1


def test_primaries_are_converted_and_srgb_goes_before_them() -> None:
    values = struct.pack(">8I", *(round(value * 100_000) for value in P3_CHROMATICITIES))
    extra = png_chunk(b"gAMA", struct.pack(">I", 45_455)) + png_chunk(b"cHRM", values)
    levels = pixels(png(1, 1, extra=extra, pixels=bytes([0, 200, 30, 40])))[0][0]
    expected = in_srgb((200, 30, 40), gamma=100_000 / 45_455)
    assert max(abs(a - b) for a, b in zip(levels, expected, strict=True)) <= 3
    both = png_chunk(b"sRGB", b"\0") + extra
    assert pixels(png(1, 1, extra=both, pixels=bytes([0, 200, 30, 40])))[0][0] == [200, 30, 40]


def test_code_points_go_before_a_profile_unless_they_are_of_high_dynamic_range() -> None:
    profile = png_chunk(b"iCCP", b"a\0\0" + zlib.compress(rgb_profile(SRGB_COLUMNS, 1.0)))
    plain, linear = [200, 90, 80], in_srgb((200, 90, 80), SRGB_COLUMNS, 1.0)
    display_p3 = in_srgb((200, 90, 80))
    for points, expected in (
        (b"\x0c\x0d\0\1", display_p3),
        (b"\1\x0d\0\1", plain),
        (b"\1\x08\0\1", linear),
        (b"\1\x04\0\1", in_srgb((200, 90, 80), SRGB_COLUMNS, 2.2)),
        (b"\1\x05\0\1", in_srgb((200, 90, 80), SRGB_COLUMNS, 2.8)),
        (b"\x09\x10\0\1", linear),
        (b"\x0c\x0d\0\0", linear),
        (b"\x0c\x0d\1\1", linear),
    ):
        extra = png_chunk(b"cICP", points) + profile
        levels = pixels(png(1, 1, extra=extra, pixels=bytes([0, 200, 90, 80])))[0][0]
        assert max(abs(a - b) for a, b in zip(levels, expected, strict=True)) <= 5, points


def test_primaries_without_a_gamma_are_passed_over() -> None:
    primaries = png_chunk(
        b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in P3_CHROMATICITIES))
    )
    assert pixels(png(1, 1, extra=primaries, pixels=bytes([0, 200, 30, 40])))[0][0] == [200, 30, 40]


@pytest.mark.parametrize("profile", [b"garbage" * 30, rgb_profile().replace(b"mntr", b"link")])
def test_a_profile_that_is_none_does_not_hide_the_gamma(profile: bytes) -> None:
    extra = png_chunk(b"iCCP", b"a\0\0" + zlib.compress(profile)) + GAMMA
    levels = pixels(png(1, 1, extra=extra, pixels=bytes([0, 200, 30, 40])))
    assert levels == pixels(png(1, 1, extra=GAMMA, pixels=bytes([0, 200, 30, 40]))) != [[[200, 30, 40]]]


EXIF = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
"""Turns the picture by a quarter."""

GAMMA = png_chunk(b"gAMA", struct.pack(">I", 100_000))


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"eXIf", EXIF),
        GAMMA,
        png_chunk(b"cICP", b"\x0c\x0d\0\1"),
        png_chunk(b"iCCP", b"a\0\0" + zlib.compress(rgb_profile())),
        png_chunk(b"tRNS", struct.pack(">3H", 200, 30, 40)),
    ],
    ids=lambda chunk: chunk[4:8].decode(),
)
def test_what_stands_behind_the_pixels_comes_too_late(chunk: bytes) -> None:
    plain = png(2, 1, pixels=bytes([0, 200, 30, 40, 5, 6, 7]))
    end = plain.index(b"IEND") - 4
    before = png(2, 1, extra=chunk, pixels=bytes([0, 200, 30, 40, 5, 6, 7]))
    assert pixels(before) != pixels(plain)
    assert pixels(plain[:end] + chunk + plain[end:]) == pixels(plain)


def test_alpha_that_stands_before_its_palette_is_passed_over() -> None:
    palette = png_chunk(b"tRNS", b"\0") + png_chunk(b"PLTE", bytes([10, 20, 30, 40, 50, 60]))
    assert pixels(png(2, 1, 8, 3, palette, b"\0\0\1"))[0] == [[10, 20, 30], [40, 50, 60]]


def test_exif_with_the_prefix_of_a_jpeg_is_passed_over() -> None:
    for prefix, size in ((b"", (1, 2)), (b"Exif\0\0", (2, 1))):
        assert decode(png(2, 1, extra=png_chunk(b"eXIf", prefix + EXIF)), 1000).image.size == size


def test_a_wrong_checksum_at_the_end_of_the_pixels_is_passed_over() -> None:
    """As some encoders write it: the pixels themselves are those that were written."""
    rows = (b"\0" + bytes(range(90))) * 30
    stream = zlib.compress(rows)
    plain = png(30, 30, pixels=rows)

    def with_stream(*parts: bytes) -> bytes:
        return plain.replace(png_chunk(b"IDAT", stream), b"".join(png_chunk(b"IDAT", part) for part in parts))

    assert pixels(with_stream(stream[:-4] + bytes(4))) == pixels(plain)
    assert pixels(with_stream(stream[:50], stream[50:-2], bytes(2))) == pixels(plain)
    assert pixels(with_stream(stream[:-4])) == pixels(plain)


def test_wrong_pixels_are_damage_by_the_checksum_of_their_chunk() -> None:
    stream = zlib.compress(bytes(31 * 30), 0)
    plain = png(10, 30)[:33] + png_chunk(b"IDAT", stream) + png_chunk(b"IEND", b"")
    flipped = bytearray(plain)
    flipped[plain.index(stream) + 100] ^= 1
    assert pixels(plain)[0][0] == [0, 0, 0]
    with pytest.raises(ImageError) as caught:
        decode(bytes(flipped), 1000)
    assert caught.value.code == "damaged_image"


def test_orientation_in_text_or_xmp_alone_does_not_turn_a_picture() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", "\nexif\n10\n" + b"Exif\0\0MM\0*".hex())
    info.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>')
    assert decode(saved(Image.new("RGB", (20, 10)), "PNG", pnginfo=info), 1000).image.size == (20, 10)


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(8_000_000))),
        png_chunk(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(8_000_000))),
        png_chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(8_000_000))),
        png_chunk(b"iCCP", b"a\0\0" + b"not deflated"),
        png_chunk(b"iCCP", b"no end of the name"),
        png_chunk(b"tEXt", b"a\0" + bytes(1_400_000)),
        png_chunk(b"tEXt", b"wrong checksum")[:-4] + b"\0\0\0\0",
        png_chunk(b"tRNS", b"\x80\x80")[:-4] + b"\0\0\0\0",
        png_chunk(b"gAMA", b"\0"),
        png_chunk(b"cHRM", bytes(32)),
        png_chunk(b"acTL", bytes(8)),
        png_chunk(b"eXIf", b"MM\0*\xff\xff\xff\xff"),
    ],
    ids=lambda chunk: chunk[4:12].decode("latin-1"),
)
def test_what_stands_beside_sound_pixels_spoils_nothing(chunk: bytes) -> None:
    assert pixels(png(2, 2, extra=chunk, pixels=(b"\0" + b"\x80" * 6) * 2)) == [[[128] * 3] * 2] * 2


def test_pixels_in_many_chunks_are_put_together() -> None:
    content = png(4, 4)
    start = content.index(b"IDAT") - 4
    (length,) = struct.unpack_from(">I", content, start)
    data = content[start + 8 : start + 8 + length]
    parts = b"".join(png_chunk(b"IDAT", data[i : i + 1]) for i in range(len(data)))
    assert pixels(content[:start] + parts + content[start + 12 + length :]) == pixels(content)


def test_too_many_chunks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_format, "MAX_CHUNKS", 10)
    with pytest.raises(ImageError, match="too many chunks; at most 10 are accepted") as caught:
        decode(png(2, 2, extra=png_chunk(b"tEXt", b"a\0b") * 10), 1000)
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize(
    "content",
    [
        png(2, 2, bit_depth=3),
        png(2, 2, colour_type=5),
        png(2, 2, extra=png_chunk(b"WHAT", b"")),
        png(2, 2).replace(png_chunk(b"IEND", b""), b"")[:-20],
    ],
    ids=["depth", "colour type", "unknown critical chunk", "cut off"],
)
def test_damage_where_the_pixels_are_is_told(content: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        decode(content, 1000)
    assert caught.value.code == "damaged_image"
