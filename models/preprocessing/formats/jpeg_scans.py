"""The scans of a JPEG: how many there are, and the file as its decoder is given it, one after the other."""

import re

from models.preprocessing.image_error import too_many
from models.preprocessing.stopping import StoppableFile

MAX_SCANS = 100
"""Encoders write ten scans for a progressive image; each goes over the whole image, whatever its bytes."""

MAX_SEGMENTS = 10_000
"""Before the first scan, and behind it; a picture with every kind of metadata has a few hundred."""

MAX_TABLE_BYTES = 1 << 16
"""Of all tables before the first scan, and as many behind it; an image can use a few kilobytes."""

END = b"\xff\xd9"
SCAN = 0xDA
SCAN_MARKER = b"\xff\xda"
COMMENT = 0xFE
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd8-\xfe]")
"""Any but those that stand within a scan, and TEM, behind which there is no length either."""


class ScanByScan(StoppableFile):
    """Gives no more than one scan at once, as soon as the scans have begun.

    A scan of a few bytes can go over the whole picture, and in one block there can be a hundred.
    """

    has_begun = False

    def read(self, size: int | None = -1, /) -> bytes:
        start = self.tell()
        block = super().read(size)
        if self.has_begun:
            next_scan = block.find(SCAN_MARKER, 1)
            if next_scan > 0:
                self.seek(start + next_scan)
                return block[:next_scan]
        return block


def scans_alone(content: bytes, start: int) -> tuple[int, bytes]:
    """How many scans there are up to the end of the image, and all from the first one on without metadata.

    `start` is that of the first scan. Raises `ImageError` for too many.
    """
    scans = other = 0
    kept, first = list[bytes](), start
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(content, start)
        if found is None or found[0] == END:
            return scans, b"".join((*kept, content[first:]))
        marker, begin = found[0][1], found.start()
        start = begin + 2 + int.from_bytes(content[begin + 2 : begin + 4], "big")
        if 0xE0 <= marker <= COMMENT:
            kept.append(content[first:begin])
            first = start
        elif marker == SCAN:
            scans += 1
        else:
            other += start - begin
        if scans > MAX_SCANS:
            raise too_many("JPEG", "scans", MAX_SCANS)
        if other > MAX_TABLE_BYTES:
            raise too_many("JPEG", "bytes of tables", MAX_TABLE_BYTES)
    raise too_many("JPEG", "segments", MAX_SEGMENTS)
