"""WebP: which of its chunks count, what is read of a damaged file, and the page around its first frame."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from models.preprocessing.decode import decode, inspect
from models.preprocessing.image_error import ImageError
from tests.support.colour_profiles import rgb_profile
from tests.support.image_files import RED, saved

EXIF = b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
"""Turns the picture by a quarter."""

WHITE = (255, 255, 255)
EXIF_FLAG, ICCP_FLAG, ALPHA_FLAG, ANIMATION_FLAG = 0x08, 0x20, 0x10, 0x02


def chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


def riff(*chunks: bytes) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def extended(flags: int, width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return chunk(b"VP8X", struct.pack("<I", flags) + size)


def frame(image: Image.Image, left: int, top: int) -> bytes:
    fields = (left // 2, top // 2, image.width - 1, image.height - 1, 100)
    head = b"".join(field.to_bytes(3, "little") for field in fields) + b"\0"
    return chunk(b"ANMF", head + pixels_of(image))


def pixels_of(image: Image.Image) -> bytes:
    """The one chunk that a lossless WebP consists of."""
    return saved(image, "WEBP", lossless=True)[12:]


def noise(width: int = 40, height: int = 20) -> Image.Image:
    return Image.effect_noise((width, height), 90).convert("RGB")


@pytest.mark.parametrize(
    ("flags", "size"), [(EXIF_FLAG, (20, 40)), (0, (40, 20))], ids=["announced", "not announced"]
)
def test_exif_counts_where_the_header_announces_it(flags: int, size: tuple[int, int]) -> None:
    content = riff(extended(flags, 40, 20), pixels_of(noise()), chunk(b"EXIF", EXIF))
    assert decode(content, 1000).image.size == size


def test_exif_and_a_profile_do_not_count_without_the_extended_header() -> None:
    image = Image.new("RGB", (40, 20), RED)
    content = riff(pixels_of(image), chunk(b"EXIF", EXIF), chunk(b"ICCP", rgb_profile()))
    assert decode(content, 1000).image.tobytes() == image.tobytes()


def test_a_profile_counts_where_the_header_announces_it() -> None:
    image = Image.new("RGB", (40, 20), (200, 90, 80))
    for flags, is_converted in ((ICCP_FLAG, True), (0, False)):
        content = riff(extended(flags, 40, 20), chunk(b"ICCP", rgb_profile()), pixels_of(image))
        assert (decode(content, 1000).image.tobytes() != image.tobytes()) == is_converted


def test_whole_pixels_are_read_whatever_is_cut_off_behind_them() -> None:
    image = noise()
    content = saved(image, "WEBP", lossless=True, exif=EXIF, xmp=b"<x>" + b"y" * 500)
    for end in (len(content) - 50, content.index(b"XMP "), content.index(b"XMP ") + 6):
        turned = decode(content[:end], 1000).image
        assert turned.tobytes() == image.transpose(Image.Transpose.ROTATE_270).tobytes(), end


@pytest.mark.parametrize("stated", [0, 100, 100_000])
def test_the_stated_size_of_the_file_does_not_count(stated: int) -> None:
    image = noise()
    content = saved(image, "WEBP", lossless=True)
    assert (
        decode(content[:4] + struct.pack("<I", stated) + content[8:], 1000).image.tobytes() == image.tobytes()
    )


def test_pixels_that_are_cut_off_are_damage() -> None:
    content = saved(noise(), "WEBP", lossless=True)
    for end in (len(content) - 20, 30):
        with pytest.raises(ImageError) as caught:
            decode(content[:end], 1000)
        assert caught.value.code == "damaged_image"


def test_the_first_frame_is_read_where_a_later_one_is_cut_off() -> None:
    image = noise()
    animation = chunk(b"ANIM", bytes(6)) + frame(image, 0, 0) + frame(noise(), 0, 0)
    content = riff(extended(ANIMATION_FLAG, 40, 20), animation)
    assert decode(content[:-30], 1000).image.tobytes() == image.tobytes()


@pytest.mark.parametrize("flags", [ANIMATION_FLAG, ANIMATION_FLAG | ALPHA_FLAG])
def test_the_page_around_the_first_frame_is_white(flags: int) -> None:
    part = noise(8, 4)
    animation = chunk(b"ANIM", bytes(6)) + frame(part, 4, 2) + frame(noise(), 0, 0)
    shown = decode(riff(extended(flags, 40, 20), animation), 1000).image
    page = Image.new("RGB", (40, 20), WHITE)
    page.paste(part, (4, 2))
    assert shown.tobytes() == page.tobytes()


def test_a_frame_that_is_a_part_takes_a_mask_more() -> None:
    def memory(image: Image.Image) -> int:
        animation = chunk(b"ANIM", bytes(6)) + frame(image, 0, 0)
        return inspect(riff(extended(ANIMATION_FLAG, 40, 20), animation), 1000).memory(None)

    assert memory(noise(8, 4)) - memory(noise()) == 40 * 20


def test_pixels_come_out_as_pillow_reads_them() -> None:
    image = noise()
    for options in ({"lossless": True}, {"quality": 80}):
        content = saved(image, "WEBP", **options)
        with Image.open(io.BytesIO(content)) as expected:
            assert np.array_equal(np.asarray(decode(content, 1000).image), np.asarray(expected))
