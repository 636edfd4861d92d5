"""JPEG (ITU-T T.81): its segments, of which only those for the pixels reach the decoder."""

import struct
from dataclasses import dataclass
from functools import cached_property
from math import ceil

import simplejpeg
from PIL import Image, ImageChops, ImageFile

from models.preprocessing.colours import MAX_PROFILE_BYTES, Colours, by_profile
from models.preprocessing.formats.jpeg_scans import (
    COMMENT,
    END,
    MAX_SEGMENTS,
    MAX_TABLE_BYTES,
    SCAN,
    SCAN_MARKER,
    ScanByScan,
    scans_alone,
)
from models.preprocessing.formats.pillow import damage_told, opened
from models.preprocessing.image_error import ImageError, damaged, too_many, unsupported
from models.preprocessing.orientation import EXIF_PREFIX, exif_orientation
from models.preprocessing.picture import Stored
from models.preprocessing.stopping import Stop

SIGNATURE = b"\xff\xd8\xff"

REDUCTIONS = (8, 4, 2)
"""By what libjpeg can divide both sides while it decodes, for less work than in full."""

REDUCED_TO_SHORTEST = 3
"""A reduced image's shorter side is at least this many times the `shortest_side` that `decode` was given."""

MOST_PIXELS_AT_ONCE = 1 << 23
"""Of an image that is decoded in one piece: in less than a tenth of a second, and not to be stopped."""

_START = b"\xff\xd8"
_TABLES = (0xC4, 0xCC, 0xDB)
_FRAMES = {0xC0: 1, 0xC1: 1, 0xC2: 2, 0xC3: 1, 0xC9: 1, 0xCA: 2}
"""Markers of the kinds of frames that libjpeg decodes; 2 are the progressive ones."""

_OTHER_FRAMES = (0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF, 0xDE)
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD9))
_SEQUENTIAL = (0xC0, 0xC1)
_LOSSLESS = 0xC3
_JFIF, _EXIF, _ICC, _ADOBE = 0xE0, 0xE1, 0xE2, 0xEE
_ICC_PREFIX = b"ICC_PROFILE\0"
_BLOCK_BYTES = 1 << 16


@dataclass(frozen=True)
class Jpeg:
    """`kept` is the file without its metadata."""

    width: int
    height: int
    components: tuple[tuple[int, int], ...]
    frame: int
    scans: int
    orientation: int
    profile: bytes | None
    kept: bytes
    is_ended: bool
    name: str = "JPEG"
    is_quick: bool = True

    @property
    def passes(self) -> int:
        return -(-self.scans // 10)

    @cached_property
    def colours(self) -> Colours:
        return by_profile(self.profile, self.width * self.height)

    def reduction(self, shortest_side: int | None) -> int:
        """The divisor of both sides to decode at, 1 for full scale."""
        if shortest_side is not None and self.frame != _LOSSLESS:
            for reduction in REDUCTIONS:
                if min(self.width, self.height) >= reduction * REDUCED_TO_SHORTEST * shortest_side:
                    return reduction
        return 1

    def memory(self, shortest_side: int | None) -> int:
        """The image, RGB of it, and for more than one scan all coefficients, of 16 bits."""
        pixels = self.width * self.height
        image = 1 if len(self.components) == 1 else 4
        page = 4 if len(self.components) != 3 or self.orientation != 1 else 0
        total = pixels * (image + page + self._is_plain * len(self.components))
        total //= self.reduction(shortest_side) ** 2
        if self.scans > 1:
            most = max(h for h, _ in self.components) * max(v for _, v in self.components)
            total += 2 * pixels * sum(h * v for h, v in self.components) // most
        return total if self.is_ended else 2 * total

    @property
    def _is_plain(self) -> bool:
        """Whether it is as most are: one scan, grey or three colours, of a size that takes little time."""
        return (
            self.frame in _SEQUENTIAL
            and self.scans == 1
            and self.is_ended
            and len(self.components) in (1, 3)
            and self.width * self.height <= MOST_PIXELS_AT_ONCE
        )

    def read(self, stop: Stop, shortest_side: int | None) -> Stored:
        reduction = self.reduction(shortest_side)
        if self._is_plain:
            stop.check()
            image = self._load_at_once(reduction)
            if image is not None:
                return Stored(image, reduction)
        try:
            return Stored(self._load(self.kept, stop, reduction), reduction)
        except ImageError:
            if self.is_ended:
                raise
            return Stored(self._load_without_end(stop, reduction), reduction)

    def _load_at_once(self, reduction: int) -> Image.Image | None:
        """The same pixels as `_load` gives, sooner; None where the file is damaged, however little.

        Both ask libjpeg-turbo, with its exact transform and its better interpolation of colours. Around it
        Pillow reads the segments in Python once more, and hands out the file block by block.
        """
        colours, mode = ("GRAY", "L") if len(self.components) == 1 else ("RGB", "RGB")
        try:
            # The smallest size that is no smaller than this; libjpeg rounds up, and knows 3/8 and 5/8 too.
            pixels = simplejpeg.decode_jpeg(
                self.kept,
                colours,
                min_height=ceil(self.height / reduction),
                min_width=ceil(self.width / reduction),
            )
        except ValueError:
            return None
        return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels)

    def _load(self, content: bytes, stop: Stop, reduction: int) -> Image.Image:
        image = opened(ScanByScan(content, stop), self.name)
        assert isinstance(image, ImageFile.ImageFile)
        image.decodermaxblock = _BLOCK_BYTES
        if reduction > 1:
            # Pillow takes the largest divisor that leaves at least this size.
            image.draft(None, (self.width // reduction, self.height // reduction))
        if isinstance(image.fp, ScanByScan):
            image.fp.has_begun = True
        with damage_told(self.name):
            image.load()
        return image

    def _load_without_end(self, stop: Stop, reduction: int) -> Image.Image:
        """Where all pixels are there, whatever follows in place of the missing marker changes none."""
        content = self.kept.removesuffix(b"\xff")
        first, second = (
            self._load(content + filling * 64 + END, stop, reduction) for filling in (b"\0", b"\x55")
        )
        if ImageChops.difference(first, second).getbbox() is not None:
            raise damaged(self.name)
        return first


def inspect(content: bytes) -> Jpeg:
    """Raises `ImageError`."""
    kept = [_START]
    profile_parts: dict[int, tuple[int, bytes]] = {}
    frame: tuple[int, bytes] | None = None
    orientation, tables = 0, 0
    start = 2
    for _ in range(MAX_SEGMENTS):
        # What is no marker between segments is passed over, as decoders do.
        start = content.find(b"\xff", start)
        if start < 0 or start + 4 > len(content):
            raise damaged("JPEG")
        marker = content[start + 1]
        if marker in (0x00, 0xFF):
            start += 1
            continue
        if marker in _WITHOUT_LENGTH:
            start += 2
            continue
        length = int.from_bytes(content[start + 2 : start + 4], "big")
        end = start + 2 + length
        if marker == SCAN:
            break
        if length < 2 or end > len(content) or marker == END[1]:
            raise damaged("JPEG")
        body = content[start + 4 : end]
        if marker in _FRAMES:
            if frame is not None:
                raise damaged("JPEG")
            frame = marker, body
        elif marker in _OTHER_FRAMES:
            raise unsupported("JPEG", "hierarchical or differential")
        if marker == _EXIF:
            if not orientation and body.startswith(EXIF_PREFIX):
                orientation = exif_orientation(body)
        elif marker == _ICC:
            if body.startswith(_ICC_PREFIX) and len(body) >= 14:
                profile_parts.setdefault(body[12], (body[13], body[14:]))
        elif marker in (_JFIF, _ADOBE) or not 0xE0 <= marker <= COMMENT:
            kept.append(content[start:end])
            tables += length if marker in _TABLES else 0
        if tables > MAX_TABLE_BYTES:
            raise too_many("JPEG", "bytes of tables", MAX_TABLE_BYTES)
        start = end
    else:
        raise too_many("JPEG", "segments", MAX_SEGMENTS)
    if frame is None:
        raise damaged("JPEG")
    scans, rest = max(content.count(SCAN_MARKER, start), 1), content[start:]
    if scans > 1:
        # A film or another image may follow on the end of this one, or a comment hold what looks like scans.
        scans, rest = scans_alone(content, start)
    kept.append(rest)
    width, height, components = _frame(frame[1])
    return Jpeg(
        width,
        height,
        components,
        frame[0],
        max(scans, _FRAMES[frame[0]]),
        orientation or 1,
        _profile(profile_parts),
        b"".join(kept),
        content.find(END, start) >= 0,
    )


def _frame(body: bytes) -> tuple[int, int, tuple[tuple[int, int], ...]]:
    """Width, height, and of each component its horizontal and vertical sampling factor."""
    if len(body) < 6 or len(body) < 6 + 3 * body[5]:
        raise damaged("JPEG")
    precision, height, width, count = struct.unpack_from(">BHHB", body)
    if precision != 8:
        raise unsupported("JPEG", f"{precision} bits a sample")
    if height == 0:
        raise unsupported("JPEG", "its height stands behind the pixels")
    if count not in (1, 3, 4):
        raise unsupported("JPEG", f"{count} components")
    factors = tuple((body[7 + 3 * index] >> 4, body[7 + 3 * index] & 15) for index in range(count))
    if width == 0 or not all(1 <= h <= 4 and 1 <= v <= 4 for h, v in factors):
        raise damaged("JPEG")
    return width, height, factors


def _profile(parts: dict[int, tuple[int, bytes]]) -> bytes | None:
    """The ICC profile, if all its parts are there, by their numbers from 1."""
    if not parts or any(count != len(parts) for count, _ in parts.values()):
        return None
    if sorted(parts) != list(range(1, len(parts) + 1)):
        return None
    if sum(len(part) for _, part in parts.values()) > MAX_PROFILE_BYTES:
        return None
    return b"".join(parts[number][1] for number in sorted(parts))
