"""The code points of an AVIF's colours: `colr` of its primary item (ISO/IEC 14496-12, 12.1.5)."""

import struct

from models.preprocessing.formats.avif_boxes import MOST_BOXES, Bits, StreamError, boxes, tables


def code_points(content: bytes) -> tuple[int, int] | None:
    """Primaries and transfer characteristics; `None` where the file has none that can be read."""
    try:
        for name, found in tables(content):
            held = dict(found)
            if name == b"meta" and b"pitm" in held and b"iprp" in held:
                return _of_primary(held[b"pitm"], held[b"iprp"])
    except (StreamError, IndexError):
        pass
    return None


def _of_primary(pitm: bytes, iprp: bytes) -> tuple[int, int] | None:
    bits = Bits(pitm[:8])
    primary = bits.read(32 if bits.read(32) >> 24 else 16)
    held = {name: iprp[start:end] for name, start, end in boxes(iprp, 0, len(iprp))}
    ipco = held.get(b"ipco", b"")
    properties = [(name, ipco[start:end]) for name, start, end in boxes(ipco, 0, len(ipco))]
    for index in _indices(held.get(b"ipma", b""), primary):
        if 0 < index <= len(properties):
            name, body = properties[index - 1]
            if name == b"colr" and body[:4] == b"nclx" and len(body) >= 8:
                primaries, transfer = struct.unpack_from(">HH", body, 4)
                return primaries, transfer
    return None


def _indices(ipma: bytes, item: int) -> list[int]:
    """Of the properties of `item`, from 1."""
    bits = Bits(ipma)
    head = bits.read(32)
    for _ in range(min(bits.read(32), MOST_BOXES)):
        found = bits.read(32 if head >> 24 else 16)
        wide = head & 1
        indices = [bits.read(16) & 0x7FFF if wide else bits.read(8) & 0x7F for _ in range(bits.read(8))]
        if found == item:
            return indices
    return []
