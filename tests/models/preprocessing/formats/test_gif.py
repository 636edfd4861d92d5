"""GIF: the first frame on its page, and the bound on what stands before it."""

import struct

import numpy as np
import pytest
from PIL import Image

from models.preprocessing.decode import decode
from models.preprocessing.formats import gif
from models.preprocessing.image_error import ImageError
from tests.support.image_files import saved


def quarter(transparency: int | None = None) -> bytes:
    """A red frame of 8 x 8 pixels, the first of them green, at the lower right of a page of 16 x 16."""
    frame = Image.new("P", (8, 8))
    frame.putpalette([255, 0, 0, 0, 255, 0])
    frame.putpixel((0, 0), 1)
    options = {} if transparency is None else {"transparency": transparency}
    content = bytearray(saved(frame, "GIF", **options))
    content[6:10] = struct.pack("<HH", 16, 16)
    # Behind the separator stand left and top.
    descriptor = content.index(b"\x2c\0\0\0\0\x08\0\x08\0")
    content[descriptor + 1 : descriptor + 5] = struct.pack("<HH", 8, 8)
    return bytes(content)


def shown(content: bytes) -> np.ndarray:
    return np.asarray(decode(content, 1000).image)


def test_what_the_first_frame_does_not_cover_is_transparent() -> None:
    levels = shown(quarter())
    assert (levels[:8] == 255).all()
    assert (levels[8:, :8] == 255).all()
    assert levels[8, 8].tolist() == [0, 255, 0]
    assert levels[15, 15].tolist() == [255, 0, 0]


def test_one_index_of_a_frame_is_transparent_too() -> None:
    levels = shown(quarter(transparency=1))
    assert levels[8, 8].tolist() == [255, 255, 255]
    assert levels[15, 15].tolist() == [255, 0, 0]


def test_a_frame_larger_than_its_page_is_shown_whole() -> None:
    content = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    content[6:10] = struct.pack("<HH", 2, 2)
    assert shown(bytes(content)).shape == (8, 8, 3)


def test_a_long_comment_is_passed_over_and_too_long_a_one_refused() -> None:
    content = saved(Image.new("P", (8, 8)), "GIF")
    start = content.index(b"\x2c\0\0\0\0\x08\0\x08\0")

    def commented(blocks: int) -> bytes:
        return content[:start] + b"\x21\xfe" + b"\x01a" * blocks + b"\0" + content[start:]

    assert shown(commented(gif.MAX_BLOCKS - 1)).shape == (8, 8, 3)
    with pytest.raises(ImageError, match="too many blocks before its first frame") as caught:
        decode(commented(gif.MAX_BLOCKS), 1000)
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize("end", [6, 12, 20, 30])
def test_a_header_that_is_cut_off_is_damage(end: int) -> None:
    with pytest.raises(ImageError) as caught:
        decode(quarter()[:end], 1000)
    assert caught.value.code == "damaged_image"
