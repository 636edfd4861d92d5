"""What an AVIF's streams say of the work that they are, whatever its container says."""

import numpy as np
import pytest
from PIL import Image

from models.preprocessing.decode import decode, inspect
from models.preprocessing.formats.avif_boxes import StreamError
from models.preprocessing.formats.avif_streams import MOST_UNITS, Frames, frames_of
from models.preprocessing.image_error import ImageError
from tests.support.image_files import saved

SRGB_POINTS = (1, 13)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    return Image.effect_noise((width, height), 60).convert(mode)


def box(name: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return (8 + len(content)).to_bytes(4, "big") + name + content


def unit(kind: int, payload: bytes) -> bytes:
    """With its size, below 128."""
    return bytes([kind << 3 | 2, len(payload)]) + payload


def file_of(stream: bytes, extents: int = 1) -> bytes:
    """A file with one item of this data, which is in `idat`; with more `extents`, again and again."""
    entry = box(b"infe", b"\2\0\0\0\0\1\0\0av01\0")
    extent = bytes(4) + len(stream).to_bytes(4, "big")
    places = b"\1\0\0\0\x44\0\0\1\0\1\0\1\0\0" + extents.to_bytes(2, "big") + extent * extents
    parts = (box(b"iinf", bytes(4), b"\0\1", entry), box(b"iloc", places), box(b"idat", stream))
    return box(b"ftyp", b"avif", bytes(4)) + box(b"meta", bytes(4), *parts)


def no_bytes_in(items: int, pieces: int) -> bytes:
    """A file with so many items, each of so many pieces behind its end, of which nothing else is told."""
    places = b"\1\0\0\0\0\x40" + items.to_bytes(2, "big")
    for item in range(items):
        places += item.to_bytes(2, "big") + bytes(4) + b"\xff" * 4 + pieces.to_bytes(2, "big")
    return box(b"meta", bytes(4), box(b"iloc", places))


def track_of(size: int, offset: int) -> bytes:
    """A track with one sample, and as many zeros behind it as make 4,000 bytes."""
    sizes = box(b"stsz", bytes(4), size.to_bytes(4, "big"), b"\0\0\0\1")
    content = box(b"stbl", sizes, box(b"stco", bytes(4), b"\0\0\0\1", offset.to_bytes(4, "big")))
    for name in (b"minf", b"mdia", b"trak", b"moov"):
        content = box(name, content)
    return content + box(b"free", bytes(3992 - len(content)))


def bits(*fields: tuple[int, int]) -> bytes:
    """Numbers, each with its count of bits, and zeros behind them."""
    text = "".join(f"{value:0{count}b}" for value, count in fields)
    return int(text + "0" * (-len(text) % 8), 2).to_bytes(-(-len(text) // 8), "big")


def sequence_header(width: int, height: int, size_bits: int) -> bytes:
    """Not of the reduced kind: profile 0, no timing, one operating point, then sizes, and no tools at all."""
    before = ((0, 3), (0, 1), (0, 1), (0, 1), (0, 1), (0, 5), (0, 12), (8, 5), (0, 1))
    sizes = ((size_bits - 1, 4), (size_bits - 1, 4), (width - 1, size_bits), (height - 1, size_bits))
    tools = ((0, 1), (0, 3), (0, 4), (0, 1), (0, 1), (0, 1))
    return unit(1, bits(*before, *sizes, *tools, (0, 64)))


def key_frame(*, own_size: bool) -> bytes:
    """Not one from before, of kind 0, shown, with new tables, of the size of the sequence or its own."""
    return unit(6, bits((0, 1), (0, 2), (1, 1), (0, 1), (own_size, 1), (0, 64)))


@pytest.mark.parametrize("size", [(1, 1), (64, 48), (300, 200), (1000, 777)])
@pytest.mark.parametrize("options", [{}, {"quality": 100}, {"tile_rows": 1, "tile_cols": 1}])
def test_the_frames_of_a_sound_file_are_as_large_as_it_says(
    size: tuple[int, int], options: dict[str, int]
) -> None:
    pixels = size[0] * size[1]
    content = saved(noise(*size), "AVIF", speed=10, autotiling=False, **options)
    assert frames_of(content) == Frames(pixels, pixels, SRGB_POINTS)
    veiled = noise(*size, "RGBA")
    veiled.putalpha(100)  # noise may be opaque by chance, and then no second frame is stored
    assert frames_of(saved(veiled, "AVIF", speed=10)) == Frames(pixels, 2 * pixels, SRGB_POINTS)


def test_of_several_pictures_one_after_the_other_the_first_counts() -> None:
    later = [noise(120, 80), noise(120, 80)]
    content = saved(noise(120, 80), "AVIF", speed=10, save_all=True, append_images=later)
    frames = frames_of(content)
    assert frames.largest == 120 * 80
    assert frames.pixels <= 2 * 120 * 80  # as a sequence, and as a still picture
    assert decode(content, 10_000).image.size == (120, 80)


@pytest.mark.parametrize("said", [(16, 16), (16, 400), (600, 16)])
def test_a_picture_larger_than_its_header_says_is_refused_before_it_is_decoded(said: tuple[int, int]) -> None:
    content = saved(Image.new("RGB", (600, 400), "red"), "AVIF", speed=10)
    start = content.index(b"ispe") + 8
    changed = np.array(said, ">u4").tobytes()
    with pytest.raises(ImageError, match="larger than its header says") as caught:
        inspect(content[:start] + changed + content[start + 8 :], 1_000_000)
    assert caught.value.code == "image_too_large"
    assert inspect(content, 1_000_000).passes == 1


def test_frames_that_nobody_sees_are_work_too() -> None:
    head, frame = sequence_header(300, 200, 9), key_frame(own_size=False)
    assert frames_of(file_of(head + frame)) == Frames(60_000, 60_000)
    assert frames_of(file_of(head + 9 * frame)) == Frames(60_000, 540_000)


def test_a_frame_with_a_size_of_its_own_has_the_room_that_the_sequence_leaves() -> None:
    assert frames_of(file_of(sequence_header(300, 257, 9) + key_frame(own_size=True))).pixels == 77_100
    room = frames_of(file_of(sequence_header(300, 200, 16) + key_frame(own_size=True))).pixels
    assert room == 1 << 32
    assert frames_of(file_of(sequence_header(300, 200, 16) + key_frame(own_size=False))).pixels == 60_000


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (file_of(b""), "no frame"),
        (file_of(key_frame(own_size=False)), "no frame"),
        (file_of(sequence_header(8, 8, 3) + key_frame(own_size=False) * (MOST_UNITS + 1)), "units"),
        (file_of(sequence_header(8, 8, 3) + key_frame(own_size=False) * 500, extents=4), "again and again"),
        (file_of(bytes(8), extents=MOST_UNITS + 1), "pieces"),
        (no_bytes_in(items=2, pieces=MOST_UNITS // 2 + 1), "pieces"),
        (3 * track_of(12_000, 0), "again and again"),
        (file_of(b"\x0a\x05\0")[:-9], "cut off"),
        (file_of(b"\x0a\x01\0\x32\x05"), "cut off"),
        (box(b"free") * (MOST_UNITS + 1), "boxes"),
    ],
)
def test_what_cannot_be_read_is_told(content: bytes, why: str) -> None:
    with pytest.raises(StreamError, match=why):
        frames_of(content)
