"""An AVIF whose tables are much work is refused before its decoder reads them."""

import struct

import pytest
from PIL import Image

from models.preprocessing.decode import inspect
from models.preprocessing.formats.avif_boxes import StreamError
from models.preprocessing.formats.avif_tables import (
    MOST_ITEMS,
    MOST_PROPERTIES,
    MOST_PROPERTY_BYTES,
    MOST_SAMPLES,
    require_few_entries,
)
from models.preprocessing.image_error import ImageError
from tests.support.image_files import saved

FILE_TYPE = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"


def box(name: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), name) + content


def table(name: bytes, *contents: bytes, version: int = 0) -> bytes:
    return box(name, bytes([version, 0, 0, 0]), *contents)


def picture(*tables: bytes) -> bytes:
    return FILE_TYPE + table(b"meta", *tables)


def places(count: int) -> bytes:
    items = b"".join(struct.pack(">IHHH", number, 0, 0, 0) for number in range(count))
    return table(b"iloc", b"\0\0", struct.pack(">I", count), items, version=2)


def entries(count: int) -> bytes:
    one = table(b"infe", b"\0\1\0\0av01\0", version=2)
    return table(b"iinf", struct.pack(">I", count), one * count, version=1)


def references(count: int) -> bytes:
    return table(b"iref", box(b"dimg", struct.pack(f">HH{count}H", 1, count, *range(count))))


def properties(items: int, each: int = 0, size: int = 0) -> bytes:
    item = struct.pack(">HB", 1, each) + b"\1" * each
    named = table(b"ipma", struct.pack(">I", items), item * items)
    return box(b"iprp", box(b"ipco", box(b"none", bytes(size))), named)


def track(*tables: bytes) -> bytes:
    inside = box(b"stbl", *tables)
    for name in (b"minf", b"mdia", b"trak", b"moov"):
        inside = box(name, inside)
    return FILE_TYPE + inside


def chunks(count: int) -> bytes:
    return table(b"stco", struct.pack(">I", count), bytes(4 * count))


def runs(*runs: tuple[int, int]) -> bytes:
    return table(b"stsc", struct.pack(">I", len(runs)), *(struct.pack(">III", *run, 1) for run in runs))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (picture(places(MOST_ITEMS + 1)), "items"),
        (picture(entries(MOST_ITEMS // 2), places(MOST_ITEMS // 2 + 1)), "items"),
        (picture(places(1), places(MOST_ITEMS)), "items"),
        (picture(references(MOST_ITEMS)), "items"),
        (picture(properties(MOST_ITEMS + 1)), "items"),
        (picture(properties(MOST_PROPERTIES // 255 + 1, 255)), "properties"),
        (picture(properties(2, 100, MOST_PROPERTY_BYTES // 200 + 1)), "bytes of properties"),
        (track(chunks(MOST_SAMPLES + 1)), "samples"),
        (track(chunks(2), runs((1, MOST_SAMPLES))), "samples"),
        (track(chunks(9), runs((1, 1), (9, MOST_SAMPLES))), "samples"),
        (track(table(b"stsz", bytes(4), struct.pack(">I", MOST_SAMPLES + 1))), "samples"),
        (track(*[table(b"stsd", bytes(4), box(b"av01", bytes(78), box(b"free") * 4096))] * 9), "properties"),
    ],
)
def test_a_file_of_too_many_entries_is_refused_before_it_is_read(content: bytes, what: str) -> None:
    with pytest.raises(ImageError, match=f"too many {what};") as caught:
        inspect(content, 1000)
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize(
    "content",
    [
        picture(places(MOST_ITEMS)),
        picture(entries(MOST_ITEMS)),
        picture(properties(100, 100, 100)),
        track(chunks(MOST_SAMPLES), runs((1, 1))),
        track(chunks(2), runs((1, 1), (2, MOST_SAMPLES - 1), (100, MOST_SAMPLES))),
        saved(Image.new("RGBA", (300, 200)), "AVIF"),
        saved(
            Image.new("RGB", (8, 8)), "AVIF", save_all=True, append_images=[Image.new("RGB", (8, 8), "red")]
        ),
    ],
)
def test_as_many_as_may_be_are_taken(content: bytes) -> None:
    require_few_entries(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (picture(table(b"iloc", b"\0\0")), "cut off"),
        (picture(box(b"iprp", box(b"ipco"), table(b"ipma", struct.pack(">IHB", 1, 1, 9)))), "cut off"),
        (track(chunks(1), chunks(1)), "same table twice"),
        (track(chunks(9), runs((1, 1), (5, 1), (2, 9))), "in no order"),
    ],
)
def test_tables_that_cannot_be_counted_are_told(content: bytes, why: str) -> None:
    with pytest.raises(StreamError, match=why):
        require_few_entries(content)


def test_boxes_that_hold_each_other_without_end_are_none() -> None:
    nested = b""
    for _ in range(2000):
        nested = box(b"trak", nested)
    require_few_entries(FILE_TYPE + box(b"moov", nested))
