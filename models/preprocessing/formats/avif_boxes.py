"""The boxes of an AVIF (ISO/IEC 14496-12): where each begins and ends, and which of them hold others."""

from collections.abc import Iterator

MOST_BOXES = 4096
"""Side by side; a picture has a dozen, and one of a grid one for each of its tiles."""

_CHILDREN = {
    b"": (b"moov", b"meta"),
    b"moov": (b"trak",),
    b"trak": (b"meta", b"mdia"),
    b"mdia": (b"minf",),
    b"minf": (b"stbl",),
}
"""What is looked into in each box, and in the file itself. Boxes of other kinds are not."""


class StreamError(ValueError):
    """The boxes or the streams of the file cannot be found or read."""


class CutOffError(StreamError):
    """A box ends behind what it stands in, or before it begins."""


class Bits:
    """Reads numbers of any count of bits. Raises `IndexError` behind the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, count: int) -> int:
        first, self._at = self._at, self._at + count
        end = (self._at + 7) // 8
        if end > len(self._data):
            raise IndexError
        value = int.from_bytes(self._data[first // 8 : end], "big")
        return value >> (8 * end - self._at) & ((1 << count) - 1)

    def skip_if(self, count: int) -> bool:
        """Whether the next bit is set; then so many more are passed over."""
        is_set = bool(self.read(1))
        if is_set:
            self.read(count)
        return is_set


def tables(content: bytes) -> Iterator[tuple[bytes, list[tuple[bytes, bytes]]]]:
    """Each box `meta` and `stbl`, and the boxes in it, each with what it holds. Raises `StreamError`."""
    yield from _tables(content, 0, len(content), b"")


def _tables(
    content: bytes, start: int, end: int, outside: bytes
) -> Iterator[tuple[bytes, list[tuple[bytes, bytes]]]]:
    for name, inner, behind in boxes(content, start, end) if outside else _boxes_of_file(content):
        if name not in _CHILDREN[outside]:
            continue
        if name in _CHILDREN:
            yield from _tables(content, inner, behind, name)
        else:
            first = inner + 4 if name == b"meta" else inner  # behind its version
            yield name, [(child, content[at:last]) for child, at, last in boxes(content, first, behind)]


def _boxes_of_file(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Without what stands behind the last of them, once there is a picture.

    Telephones append notes of their own, which are no boxes. The decoder cannot read on behind them either.
    """
    has_picture = False
    try:
        for box in boxes(content, 0, len(content)):
            has_picture = has_picture or box[0] in _CHILDREN[b""]
            yield box
    except CutOffError:
        if not has_picture:
            raise


def boxes(content: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The name of each box between two places, and where what it holds begins and ends.

    Raises `StreamError`.
    """
    count = 0
    while start + 8 <= end:
        count += 1
        if count > MOST_BOXES:
            raise StreamError(f"there are more than {MOST_BOXES} boxes side by side")
        size, inner = int.from_bytes(content[start : start + 4], "big"), start + 8
        if size == 1:
            size, inner = int.from_bytes(content[inner : inner + 8], "big"), start + 16
        behind = start + size if size else end
        if behind > end or behind < inner:
            raise CutOffError("a box is cut off")
        yield content[start + 4 : start + 8], inner, behind
        start = behind
