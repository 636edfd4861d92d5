"""How much the tables of an AVIF have its decoder do before there is any pixel.

libavif looks for every item that a table names among all that were named before, one after the other, and
copies a property that it does not know for each item that has it. No other thread of Python runs meanwhile:
a file of 400 KB stopped them for 8 s, and one of 1 MB took 1 GB. So tables are counted before it sees them.

Sources: ISO/IEC 14496-12 for the boxes, and ISO/IEC 23008-12 for those of items.
"""

import struct
from collections.abc import Iterator, Sequence

from models.preprocessing.formats.avif_boxes import StreamError, boxes, tables
from models.preprocessing.image_error import too_many

MOST_ITEMS = 2048
"""Named in all tables of items together, where each is named some four times. A picture of a grid has an item
for each of its tiles, which are some dozen. So many are looked for in five milliseconds."""

MOST_PROPERTIES = 8 * MOST_ITEMS
"""That all items and tracks have together."""

MOST_PROPERTY_BYTES = 1 << 20
"""Of these, where each counts as often as it is copied; nearly all have less than twenty."""

MOST_SAMPLES = 10_000
"""Of a track, and entries of each of its tables; a sample is a frame of an animation."""

_COUNTED = {b"stts": 4, b"stsc": 4, b"stco": 4, b"co64": 4, b"stss": 4, b"stsz": 8}
"""The tables of samples, and how many bytes stand before the number of their entries."""

_PROFILE = b"colr"
"""A property that may be large; the decoder knows it, and copies no more than one."""

_SAMPLE_ENTRY_BYTES = 78
"""Of the description of a track's samples, before its properties."""


def require_few_entries(content: bytes) -> None:
    """Raises `ImageError` for a file whose tables are too much work, `StreamError` for one cut off."""
    items = 0
    properties: list[int] = []
    try:
        for name, found in tables(content):
            if name == b"stbl":
                _require_few_samples(found)
            for child, held in found:
                if child == b"stsd":
                    properties += _sizes_described(held)
                elif child == b"iprp":
                    named, sizes = _associations(held)
                    items += named
                    properties += sizes
                else:
                    items += _named_items(child, held)
                _require_few("items", items, MOST_ITEMS)
                _require_few("properties", len(properties), MOST_PROPERTIES)
        _require_few("bytes of properties", sum(properties), MOST_PROPERTY_BYTES)
    except (IndexError, struct.error) as error:
        raise StreamError("a table is cut off") from error


def _require_few(what: str, count: int, most: int) -> None:
    if count > most:
        raise too_many("AVIF", what, most)


def _named_items(name: bytes, held: bytes) -> int:
    """How many items the table with this name names."""
    if name == b"iloc":
        return _number(held, 6, 4 if held[0] == 2 else 2)
    if name == b"iinf":
        return sum(1 for _ in boxes(held, 8 if held[0] else 6, len(held)))
    if name == b"iref":
        wide = 4 if held[0] else 2
        return sum(1 + _number(held, at + wide, 2) for _, at, _ in boxes(held, 4, len(held)))
    return 0


def _associations(iprp: bytes) -> tuple[int, list[int]]:
    """How many items are named, and the size of each property of each of them."""
    inside = list(boxes(iprp, 0, len(iprp)))
    sizes = [
        0 if name == _PROFILE else last - first
        for child, start, end in inside
        if child == b"ipco"
        for name, first, last in boxes(iprp, start, end)
    ]
    named, found = 0, list[int]()
    for child, start, end in inside:
        if child != b"ipma":
            continue
        for numbers in _properties_of_items(iprp[start:end]):
            named += 1
            found += [sizes[number - 1] for number in numbers if 0 < number <= len(sizes)]
            if named > MOST_ITEMS or len(found) > MOST_PROPERTIES:
                return named, found
    return named, found


def _properties_of_items(ipma: bytes) -> Iterator[Sequence[int]]:
    """The numbers, from 1, of the properties of each item."""
    item, wide = 4 if ipma[0] else 2, ipma[3] & 1
    at = 8
    for _ in range(_number(ipma, 4, 4)):
        at += item
        count = ipma[at]
        at += 1
        if wide:
            yield [number & 0x7FFF for number in struct.unpack_from(f">{count}H", ipma, at)]
        else:
            yield [number & 0x7F for number in struct.unpack_from(f"{count}B", ipma, at)]
        at += count << wide


def _sizes_described(stsd: bytes) -> list[int]:
    """The size of each property of a track's samples."""
    return [
        last - first
        for _, start, end in boxes(stsd, 8, len(stsd))
        for name, first, last in boxes(stsd, start + _SAMPLE_ENTRY_BYTES, end)
        if name != _PROFILE
    ]


def _require_few_samples(found: list[tuple[bytes, bytes]]) -> None:
    counted = [(name, held) for name, held in found if name in _COUNTED]
    held = dict(counted)
    if len(held) < len(counted):
        raise StreamError("a track has the same table twice")
    for name, table in counted:
        _require_few("samples", _number(table, _COUNTED[name], 4), MOST_SAMPLES)
    chunks = sum(_number(held[name], 4, 4) for name in (b"stco", b"co64") if name in held)
    stsc = held.get(b"stsc", bytes(8))
    # From its first chunk to that of the next run, each chunk of a run has so many samples.
    runs = [struct.unpack_from(">II", stsc, 8 + 12 * number) for number in range(_number(stsc, 4, 4))]
    firsts = [first for first, _ in runs]
    if firsts != sorted(set(firsts)):
        raise StreamError("the runs of chunks are in no order")
    ends = [min(first, chunks + 1) for first in (*firsts[1:], chunks + 1)]
    samples = sum(max(end - first, 0) * count for (first, count), end in zip(runs, ends, strict=False))
    _require_few("samples", samples, MOST_SAMPLES)


def _number(held: bytes, start: int, size: int) -> int:
    if start + size > len(held):
        raise IndexError
    return int.from_bytes(held[start : start + size], "big")
