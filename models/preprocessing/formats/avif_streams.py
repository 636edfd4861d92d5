"""What the AV1 streams of an AVIF say of themselves: how many pixels will be decoded, and their colours.

The container says a size as well, and the decoder finds out that it is another one when all is decoded.
Sources: ISO/IEC 14496-12 for the boxes, ISO/IEC 23008-12 for the items, and the AV1 Bitstream Specification,
5.3 to 5.9, for the units.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from models.preprocessing.formats.avif_boxes import Bits, StreamError, boxes, tables

MOST_UNITS = 4096
"""In all streams of a file, and the most pieces that they are of; a picture has four units in one piece."""

SEQUENCE_HEADER, FRAME_HEADER, FRAME = 1, 3, 6
"""Types of units, AV1 6.2.2."""

SWITCH_FRAME, KEY_FRAME = 3, 0
CHOSEN_BY_FRAME = 2


@dataclass(frozen=True)
class Frames:
    """Pixels of the largest frame, and of all that are decoded for one picture.

    `code_points` are primaries and transfer characteristics, of the first stream that tells any.
    """

    largest: int
    pixels: int
    code_points: tuple[int, int] | None = None


def frames_of(content: bytes) -> Frames:
    """Raises `StreamError`."""
    units = 0
    sizes: list[int] = []
    code_points: tuple[int, int] | None = None
    try:
        for stream in _streams(content):
            header: _SequenceHeader | None = None
            for kind, start, end in _units(stream):
                units += 1
                if units > MOST_UNITS:
                    raise StreamError(f"there are more than {MOST_UNITS} units")
                unit = Bits(stream[start : min(end, start + 256)])
                if kind == SEQUENCE_HEADER:
                    header = _SequenceHeader(unit)
                    code_points = code_points or header.code_points
                elif kind in (FRAME, FRAME_HEADER) and header is not None:
                    sizes.append(header.pixels_of_frame(unit))
    except IndexError as error:
        raise StreamError("a box or a unit is cut off") from error
    if not sizes:
        raise StreamError("there is no frame")
    return Frames(max(sizes), sum(sizes), code_points)


def _streams(content: bytes) -> Iterator[bytes]:
    """The data of each item of type `av01`, and the first sample of each track."""
    left = 2 * len(content)
    for name, found in tables(content):
        held = dict(found)
        if name == b"stbl":
            stream = _first_sample(content, held)
            left -= len(stream)
            _require_left(left)
            yield stream
            continue
        kinds = _kinds(held.get(b"iinf", b""))
        for item, places in _places(held.get(b"iloc", b"")):
            parts = []
            for in_idat, start, length in places:
                source = held.get(b"idat", b"") if in_idat else content
                parts.append(memoryview(source)[start : start + length if length else None])
                left -= len(parts[-1])
                _require_left(left)
            if kinds.get(item) == b"av01":
                yield b"".join(parts)


def _require_left(left: int) -> None:
    if left < 0:
        raise StreamError("the same bytes are used again and again")


def _kinds(iinf: bytes) -> dict[int, bytes]:
    """The type of each item."""
    kinds = {}
    for name, start, end in boxes(iinf, 8 if iinf[:1] > b"\0" else 6, len(iinf)):
        if name == b"infe":
            bits = Bits(iinf[start : min(end, start + 16)])
            version = bits.read(32) >> 24
            item = bits.read(32 if version == 3 else 16)
            bits.read(16)
            kinds[item] = bits.read(32).to_bytes(4, "big")
    return kinds


def _places(iloc: bytes) -> Iterator[tuple[int, list[tuple[bool, int, int]]]]:
    """Each item, and for each of its pieces whether it is in `idat`, where it begins, and its length."""
    if not iloc:
        return
    bits = Bits(iloc)
    version = bits.read(32) >> 24
    offset_size, length_size, base_size, index_size = (8 * bits.read(4) for _ in range(4))
    pieces = 0
    for _ in range(bits.read(32 if version == 2 else 16)):
        item = bits.read(32 if version == 2 else 16)
        in_idat = version > 0 and bits.read(16) & 15 == 1
        bits.read(16)
        base = bits.read(base_size)
        count = bits.read(16)
        # Also of items that are no pictures: where no bytes tell its place, a piece takes none.
        pieces += count
        if pieces > MOST_UNITS:
            raise StreamError(f"there are more than {MOST_UNITS} pieces")
        places = []
        for _ in range(count):
            bits.read(index_size if version else 0)
            start = base + bits.read(offset_size)
            places.append((in_idat, start, bits.read(length_size)))
        yield item, places


def _first_sample(content: bytes, held: dict[bytes, bytes]) -> bytes:
    sizes = Bits(held.get(b"stsz", b"")[:16])
    sizes.read(32)
    same, _ = sizes.read(32), sizes.read(32)
    size = same or sizes.read(32)
    wide = b"co64" in held
    offsets = Bits(held.get(b"co64" if wide else b"stco", b"")[:16])
    offsets.read(64)
    offset = offsets.read(64 if wide else 32)
    return content[offset : offset + size]


def _units(stream: bytes) -> Iterator[tuple[int, int, int]]:
    """The type of each unit, and where what it holds begins and ends."""
    at = 0
    while at < len(stream):
        head = stream[at]
        at += 2 if head & 4 else 1
        size = len(stream) - at
        if head & 2:
            size = 0
            for shift in range(0, 56, 7):
                byte = stream[at]
                at += 1
                size |= (byte & 127) << shift
                if byte < 128:
                    break
        yield head >> 3 & 15, at, min(at + size, len(stream))
        at += size


class _SequenceHeader:
    """What all frames behind it have in common, AV1 5.5."""

    def __init__(self, bits: Bits) -> None:
        profile = bits.read(3)
        bits.read(1)
        self.is_reduced = bool(bits.read(1))
        self.presentation_bits = 0
        """Of the time at which a frame is shown, where frames tell one."""
        if self.is_reduced:
            bits.read(5)
        else:
            self._read_operating_points(bits)
        width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
        self.pixels = (bits.read(width_bits) + 1) * (bits.read(height_bits) + 1)
        self.room = 1 << width_bits + height_bits
        """Pixels of the largest frame that may say a size of its own: decoders allow it to be larger."""
        self.number_bits = 0
        """Of a frame's number, where frames have one."""
        if not self.is_reduced and bits.read(1):
            self.number_bits = 2 + bits.read(4)
            self.number_bits += 1 + bits.read(3)
        bits.read(3)
        self.screen_content = self.integer_vectors = CHOSEN_BY_FRAME
        if not self.is_reduced:
            self._read_tools(bits)
        bits.read(3)
        self.code_points = _code_points(bits, profile)

    def _read_tools(self, bits: Bits) -> None:
        bits.read(4)
        has_order = bits.skip_if(2)
        if not bits.read(1):
            self.screen_content = bits.read(1)
        if self.screen_content and not bits.read(1):
            self.integer_vectors = bits.read(1)
        if has_order:
            bits.read(3)

    def _read_operating_points(self, bits: Bits) -> None:
        delay_bits = 0
        if bits.read(1):  # timing_info()
            bits.read(64)
            has_equal_intervals = bits.read(1)
            if has_equal_intervals:
                zeros = 0
                while not bits.read(1):
                    zeros += 1
                bits.read(min(zeros, 32))
            if bits.read(1):  # decoder_model_info()
                delay_bits = bits.read(5) + 1
                bits.read(32 + 5)
                presentation_bits = bits.read(5) + 1
                self.presentation_bits = 0 if has_equal_intervals else presentation_bits
        has_display_delay = bits.read(1)
        for _ in range(bits.read(5) + 1):
            bits.read(12)
            if bits.read(5) > 7:
                bits.read(1)
            if delay_bits:
                bits.skip_if(2 * delay_bits + 1)
            if has_display_delay:
                bits.skip_if(4)

    def pixels_of_frame(self, bits: Bits) -> int:
        """Of the frame with this header, AV1 5.9.2.

        It may have a size of its own, as large as there are bits for; where these are no more than what the
        size of the sequence needs, that is near enough.
        """
        if self.is_reduced or bits.read(1):  # the latter shows a frame that was decoded before
            return self.pixels
        kind, is_shown = bits.read(2), bits.read(1)
        if is_shown:
            bits.read(self.presentation_bits)
        else:
            bits.read(1)
        if kind != SWITCH_FRAME and not (kind == KEY_FRAME and is_shown):
            bits.read(1)
        bits.read(1)
        screen_content = bits.read(1) if self.screen_content == CHOSEN_BY_FRAME else self.screen_content
        if screen_content and self.integer_vectors == CHOSEN_BY_FRAME:
            bits.read(1)
        bits.read(self.number_bits)
        has_own_size = kind == SWITCH_FRAME or bits.read(1)
        return self.room if has_own_size and self.room > 4 * self.pixels else self.pixels


def _code_points(bits: Bits, profile: int) -> tuple[int, int] | None:
    """Primaries and transfer characteristics where they are stated, AV1 5.5.2."""
    has_many_bits = bits.read(1)
    if profile == 2 and has_many_bits:
        bits.read(1)
    if profile != 1:
        bits.read(1)
    return (bits.read(8), bits.read(8)) if bits.read(1) else None
