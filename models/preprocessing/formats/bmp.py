"""BMP: the header in all its versions, and pixels that are stored as they are. Runs are in `bmp_runs`."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.preprocessing.colours import SRGB, Colours, by_profile
from models.preprocessing.formats.bmp_runs import MAX_RUN_BYTES, read_runs
from models.preprocessing.image_error import damaged, too_many, unsupported
from models.preprocessing.picture import Stored
from models.preprocessing.stopping import Stop
from models.preprocessing.strips import strips

SIGNATURE = b"BM"

_HEADER_START = 14
_CORE_HEADER = 12
_OS2_HEADERS = range(16, 65)
_WINDOWS_HEADERS = (40, 52, 56, 108, 124)
_EMBEDDED = b"DEBM"
"""Kind of colours of a header of 124 bytes, as its number stands in the file, where it has an ICC profile."""
_STORED, _RUNS_8, _RUNS_4, _MASKS, _JPEG, _PNG, _MASKS_WITH_ALPHA = range(7)
_OS2_RUNS_24 = _JPEG
_COMPRESSIONS = {_MASKS: "Huffman coding", _JPEG: "JPEG inside", _PNG: "PNG inside"}
_DEPTHS = (1, 2, 4, 8, 16, 24, 32)
_DEFAULT_MASKS = {
    16: (0x7C00, 0x03E0, 0x001F, 0),
    24: (0xFF0000, 0x00FF00, 0x0000FF, 0),
    32: (0xFF0000, 0x00FF00, 0x0000FF, 0),
}
_BYTES_PER_PIXEL = 8


@dataclass(frozen=True)
class Bmp:
    """`palette` is (256, 3), `masks` are of red, green, blue and alpha, `start` is that of the pixels."""

    width: int
    height: int
    depth: int
    compression: int
    is_top_down: bool
    palette: NDArray[np.uint8]
    masks: tuple[int, int, int, int]
    start: int
    content: bytes
    name: str = "BMP"
    orientation: int = 1
    passes: int = 1
    colours: Colours = SRGB

    @property
    def is_quick(self) -> bool:
        """Runs are read one after the other: 16 kB of them take 16 ms, however few pixels they make."""
        return self.compression not in (_RUNS_8, _RUNS_4)

    def memory(self, shortest_side: int | None) -> int:  # noqa: ARG002
        return _BYTES_PER_PIXEL * self.width * self.height

    def read(self, stop: Stop, shortest_side: int | None) -> Stored:  # noqa: ARG002
        return self._read_runs(stop) if self.compression in (_RUNS_8, _RUNS_4) else self._read_stored(stop)

    def _read_runs(self, stop: Stop) -> Stored:
        size = self.width, self.height
        codes = memoryview(self.content)[self.start :]
        indices, known = read_runs(codes, size, is_of_4_bits=self.compression == _RUNS_4, stop=stop)
        if not self.is_top_down:
            indices, known = indices[::-1], None if known is None else known[::-1]
        image = Image.new("RGB", size)
        for strip in strips(size, stop):
            image.paste(Image.fromarray(self.palette[indices[strip[1] : strip[3]]]), strip)
        return Stored(image, mask=None if known is None else Image.fromarray(np.ascontiguousarray(known)))

    def _read_stored(self, stop: Stop) -> Stored:
        stride = (self.width * self.depth + 31) // 32 * 4
        used = (self.width * self.depth + 7) // 8
        if self.start + stride * (self.height - 1) + used > len(self.content):
            raise damaged(self.name)
        image = Image.new("RGB", (self.width, self.height))
        mask = Image.new("L", image.size) if self.masks[3] else None
        for strip in strips(image.size, stop):
            first, count = strip[1], strip[3] - strip[1]
            if not self.is_top_down:
                first = self.height - strip[3]
            rows = self._rows(first, count, stride, used)
            if not self.is_top_down:
                rows = rows[::-1]
            image.paste(Image.fromarray(np.ascontiguousarray(self._colours_of(rows))), strip)
            if mask is not None:
                alpha = _field(self._values(rows), self.masks[3])
                mask.paste(Image.fromarray(np.ascontiguousarray(alpha)), strip)
        if mask is not None and mask.getbbox() is None:
            # Many programs leave the fourth byte zero, and mean an opaque picture. Chromium shows nothing of
            # one that has a mask for alpha.
            mask = None
        return Stored(image, mask=mask)

    def _rows(self, first: int, count: int, stride: int, used: int) -> NDArray[np.uint8]:
        """(count, used): the bytes of stored rows without their filling, of which the last may lack."""
        start = self.start + first * stride
        content = self.content[start : start + count * stride].ljust(count * stride, b"\0")
        return np.frombuffer(content, np.uint8).reshape(count, stride)[:, :used]

    def _colours_of(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(rows, width, 3)"""
        if self.depth <= 8:
            return self.palette[self._indices(rows)]
        if self.depth == 24:
            return rows.reshape(len(rows), self.width, 3)[..., ::-1]
        values = self._values(rows)
        return np.stack([_field(values, mask) for mask in self.masks[:3]], axis=-1)

    def _indices(self, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self.depth == 8:
            return rows
        shifts = np.arange(8 - self.depth, -1, -self.depth, dtype=np.uint8)
        parts = rows[..., None] >> shifts & np.uint8(2**self.depth - 1)
        return parts.reshape(len(rows), -1)[:, : self.width]

    def _values(self, rows: NDArray[np.uint8]) -> NDArray[np.uint32]:
        """(rows, width): the pixels of 16 or 32 bits as numbers."""
        kind = "<u2" if self.depth == 16 else "<u4"
        return np.ascontiguousarray(rows).view(kind).astype(np.uint32)


def inspect(content: bytes) -> Bmp:
    """Raises `ImageError`."""
    if len(content) < _HEADER_START + _CORE_HEADER:
        raise damaged("BMP")
    start, header_size = struct.unpack_from("<II", content, 10)
    if header_size == _CORE_HEADER:
        width, height, _, depth = struct.unpack_from("<HHHH", content, 18)
        compression = colours = 0
    elif header_size in _WINDOWS_HEADERS or header_size in _OS2_HEADERS:
        # OS/2 writes as much of its header as it needs; what is not there is zero.
        header = content[_HEADER_START : _HEADER_START + header_size]
        if len(header) < header_size:
            raise damaged("BMP")
        fields = struct.unpack_from("<IiiHHIIIIII", header.ljust(44, b"\0"))
        width, height, depth, compression, colours = fields[1], fields[2], fields[4], fields[5], fields[9]
    else:
        raise unsupported("BMP", f"a header of {header_size} bytes")
    is_os2 = header_size in _OS2_HEADERS and header_size not in _WINDOWS_HEADERS
    if width <= 0 or height == 0:
        raise damaged("BMP")
    _require_supported(depth, compression, is_os2=is_os2)
    after_header = _HEADER_START + header_size
    masks = _masks(content, header_size, depth, compression)
    if compression in (_MASKS, _MASKS_WITH_ALPHA) and header_size == 40:
        after_header += 16 if compression == _MASKS_WITH_ALPHA else 12
    entry = 3 if header_size == _CORE_HEADER else 4
    entries = 0
    if depth <= 8:
        entries = colours or 2**depth
        if start > after_header:
            entries = min(entries, (start - after_header) // entry)
        entries = min(entries, 2**depth)
    if start <= after_header:
        # Some programs leave out where the pixels start, or count without the palette.
        start = after_header + entry * entries
    palette = _palette(content[after_header : after_header + entry * entries], entry)
    if compression in (_RUNS_8, _RUNS_4) and len(content) - start > MAX_RUN_BYTES:
        raise too_many("BMP", "bytes of runs", MAX_RUN_BYTES)
    profiled = by_profile(_profile(content, header_size), width * abs(height))
    return Bmp(
        width, abs(height), depth, compression, height < 0, palette, masks, start, content, colours=profiled
    )


def _require_supported(depth: int, compression: int, *, is_os2: bool) -> None:
    if compression == _OS2_RUNS_24 and is_os2:
        raise unsupported("BMP", "runs of 24 bits")
    if compression in (_JPEG, _PNG) or (compression == _MASKS and (is_os2 or depth == 1)):
        raise unsupported("BMP", _COMPRESSIONS[compression])
    fits = {_RUNS_8: (8,), _RUNS_4: (4,), _MASKS: (16, 24, 32), _MASKS_WITH_ALPHA: (16, 32)}
    if compression != _STORED and compression not in fits:
        raise unsupported("BMP", f"compression {compression}")
    if depth not in fits.get(compression, _DEPTHS):
        raise unsupported("BMP", f"{depth} bits a pixel in compression {compression}")


def _masks(content: bytes, header_size: int, depth: int, compression: int) -> tuple[int, int, int, int]:
    default = _DEFAULT_MASKS.get(depth, (0, 0, 0, 0))
    if compression not in (_MASKS, _MASKS_WITH_ALPHA):
        return default
    has_alpha = compression == _MASKS_WITH_ALPHA or header_size >= 56
    count = 4 if has_alpha else 3
    start = _HEADER_START + 40
    if len(content) < start + 4 * count:
        raise damaged("BMP")
    masks = struct.unpack_from(f"<{count}I", content, start)
    if not any(masks[:3]):
        return default
    red, green, blue, *alpha = masks
    return red, green, blue, alpha[0] if alpha else 0


def _profile(content: bytes, header_size: int) -> bytes | None:
    """The ICC profile that a header of 124 bytes names by its place, counted from it, and its length."""
    if header_size != 124 or content[_HEADER_START + 56 : _HEADER_START + 60] != _EMBEDDED:
        return None
    start, length = struct.unpack_from("<II", content, _HEADER_START + 112)
    return content[_HEADER_START + start : _HEADER_START + start + length]


def _palette(content: bytes, entry: int) -> NDArray[np.uint8]:
    """(256, 3), black where the file has none."""
    palette = np.zeros((256, 3), np.uint8)
    stored = np.frombuffer(content[: len(content) // entry * entry], np.uint8).reshape(-1, entry)
    palette[: len(stored)] = stored[:, 2::-1]
    return palette


def _field(values: NDArray[np.uint32], mask: int) -> NDArray[np.uint8]:
    """The bits of `mask` in `values`, scaled to 0..255."""
    if mask == 0:
        return np.zeros(values.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    bits = (mask >> shift).bit_length()
    # More than 8 bits lose their lower ones.
    shift, bits = shift + max(bits - 8, 0), min(bits, 8)
    levels = (np.arange(2**bits) * 255 / (2**bits - 1)).round().astype(np.uint8)
    field = (values & np.uint32(mask)) >> np.uint32(shift) & np.uint32(2**bits - 1)
    scaled: NDArray[np.uint8] = levels[field]
    return scaled
