"""PNG (W3C Recommendation, third edition): only the chunks that make the pixels reach the decoder."""

import struct
import zlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageFile

from models.preprocessing.coded_colours import by_code_points
from models.preprocessing.colours import MAX_PROFILE_BYTES, SRGB, Colours, by_gamma, by_profile
from models.preprocessing.formats.high_bytes import high_bytes
from models.preprocessing.formats.pillow import damage_told, opened
from models.preprocessing.image_error import ImageError, damaged, too_many
from models.preprocessing.orientation import EXIF_PREFIX, exif_orientation
from models.preprocessing.picture import Stored
from models.preprocessing.stopping import Stop, StoppableFile
from models.preprocessing.strips import strips

SIGNATURE = b"\x89PNG\r\n\x1a\n"

MAX_CHUNKS = 100_000
"""Encoders write pixels in chunks of 8 kB or more; reading so many takes 0.1 s."""

BLOCK_BYTES = 8192
"""Read at once; deflated a thousand times smaller, they still hold only some milliseconds of pixels."""

_GREY, _COLOUR, _PALETTE, _GREY_ALPHA, _COLOUR_ALPHA = 0, 2, 3, 4, 6
_DEPTHS = {
    _GREY: (1, 2, 4, 8, 16),
    _COLOUR: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _COLOUR_ALPHA: (8, 16),
}
_ANCILLARY = (b"tRNS", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf")
"""What is looked at beside the pixels. Text is passed over unread, whatever its size."""

_PLAIN_RGB = b"\0\1"
"""The other half of cICP: no matrix, and the full range. Browsers pass it over if it says otherwise."""

_NO_SUM = bytes(4)
_END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))


@dataclass(frozen=True)
class Png:
    """`chunks` are the contents of the ancillary chunks, `kept` the file without those.

    `pieces` are the chunks of pixels, which are one in `kept`: of each the length, and the checksum that the
    file states, or -1 where it is cut off.
    """

    width: int
    height: int
    depth: int
    colour_type: int
    chunks: dict[bytes, bytes]
    kept: bytes
    pieces: tuple[tuple[int, int], ...]
    name: str = "PNG"
    passes: int = 1

    @cached_property
    def orientation(self) -> int:
        exif = self.chunks.get(b"eXIf", b"")
        # In a PNG it begins without the prefix that it has in a JPEG; viewers pass over one that has it.
        return 1 if exif.startswith(EXIF_PREFIX) else exif_orientation(exif)

    @cached_property
    def colours(self) -> Colours:
        """By cICP, or else iCCP, or else sRGB, or else gAMA, with cHRM or without; by cHRM alone never."""
        points = self.chunks.get(b"cICP", b"")
        coded = by_code_points(points[0], points[1]) if points[2:] == _PLAIN_RGB else None
        if coded is not None:
            return coded
        profiled = by_profile(_profile(self.chunks.get(b"iCCP", b"")), self.width * self.height)
        if profiled != SRGB:
            return profiled
        gamma, chromaticities = self.chunks.get(b"gAMA", b""), self.chunks.get(b"cHRM", b"")
        if b"sRGB" in self.chunks or len(gamma) != 4:
            return SRGB
        return by_gamma(
            struct.unpack(">I", gamma)[0] / 100_000,
            tuple(n / 100_000 for n in struct.unpack(">8I", chromaticities))
            if len(chromaticities) == 32
            else None,
        )

    @property
    def is_quick(self) -> bool:
        """A profile of 4 kB can be one of 4 MB once it is inflated."""
        return b"iCCP" not in self.chunks

    @property
    def _key(self) -> tuple[int, ...] | None:
        """The samples of the one colour that is transparent: of each, the lowest `depth` bits count."""
        samples = {_GREY: 1, _COLOUR: 3}.get(self.colour_type, 0)
        key = self.chunks.get(b"tRNS", b"")
        if not samples or len(key) < 2 * samples:
            return None
        return tuple(level & (1 << self.depth) - 1 for level in struct.unpack_from(f">{samples}H", key))

    def memory(self, shortest_side: int | None) -> int:  # noqa: ARG002
        """The image and the RGB one made of it, a mask, and the low bytes of 16-bit colour."""
        stored = {_GREY: self.depth // 16 + 1, _PALETTE: 1}.get(self.colour_type, 4)
        key = 0 if self._key is None else 5 if self.depth == 16 else 1
        page = 0 if self.colour_type == _COLOUR and not key else 4
        turned = 4 if self.orientation != 1 else 0
        return self.width * self.height * (stored + max(page + key, turned))

    def read(self, stop: Stop, shortest_side: int | None) -> Stored:  # noqa: ARG002
        image = self._load(stop)
        key = self._key
        if self.depth == 16 and self.colour_type == _GREY:
            mask = None if key is None else _mask((image,), key, stop)
            return Stored(high_bytes(image, stop), mask=mask)
        if self.depth == 16 and self.colour_type == _GREY_ALPHA:
            # Pillow makes colours of it, for which a profile of grey would not do.
            return Stored(image.getchannel("R"), mask=image.getchannel("A"))
        if key is None:
            return Stored(image)
        if self.depth == 16:
            low = self._load(stop, "RGB;16L")
            halves = (*(level >> 8 for level in key), *(level & 255 for level in key))
            return Stored(image, mask=_mask((image, low), halves, stop))
        scale = 255 // (2**self.depth - 1)
        grey_or_rgb = image.convert("L") if image.mode == "1" else image
        return Stored(grey_or_rgb, mask=_mask((grey_or_rgb,), tuple(scale * level for level in key), stop))

    def _load(self, stop: Stop, raw_mode: str | None = None) -> Image.Image:
        """`raw_mode` is Pillow's for the stored samples; RGB;16L takes the low bytes for the high ones.

        The last 4 bytes of the pixels are a checksum, which some encoders leave zero. The decoder calls it
        damage if they are wrong but not if they lack, and browsers show such a picture.
        """
        try:
            return self._loaded(self.kept, stop, raw_mode)
        except ImageError as error:
            if error.code != "damaged_image" or not self._are_pieces_sound():
                raise
            return self._loaded(self._without_checksum(), stop, raw_mode)

    def _are_pieces_sound(self) -> bool:
        """Whether the pixels are those that were written, by the checksums of their chunks."""
        start = len(self.kept) - len(_NO_SUM + _END) - sum(length for length, _ in self.pieces)
        for length, stated in self.pieces:
            if zlib.crc32(memoryview(self.kept)[start : start + length], zlib.crc32(b"IDAT")) != stated:
                return False
            start += length
        return True

    def _without_checksum(self) -> bytes:
        size = sum(length for length, _ in self.pieces)
        end = len(self.kept) - len(_NO_SUM + _END)
        start, size = end - size, max(size - 4, 0)
        head = struct.pack(">I4s", size, b"IDAT")
        return b"".join((self.kept[: start - 8], head, self.kept[start : start + size], _NO_SUM, _END))

    def _loaded(self, content: bytes, stop: Stop, raw_mode: str | None) -> Image.Image:
        image = opened(StoppableFile(content, stop), self.name)
        assert isinstance(image, ImageFile.ImageFile)
        if raw_mode is not None:
            image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
        image.decodermaxblock = BLOCK_BYTES
        with damage_told(self.name):
            image.load()
        return image


def inspect(content: bytes) -> Png:
    """Raises `ImageError`."""
    width, height, depth, colour_type, interlaced = _header(content)
    start, pixels, pieces, ancillary = len(SIGNATURE), [], [], {}
    palette = b""
    for _ in range(MAX_CHUNKS):
        if start + 8 > len(content):
            break
        length, kind = struct.unpack_from(">I4s", content, start)
        end = start + 12 + length
        if kind == b"IDAT":
            pixels.append((start + 8, min(start + 8 + length, len(content))))
            stated = struct.unpack_from(">I", content, end - 4)[0] if end <= len(content) else -1
            pieces.append((pixels[-1][1] - pixels[-1][0], stated))
        elif kind == b"IEND" or end > len(content):
            break
        elif kind == b"PLTE" and not pixels:
            if not _is_sound(content, start, end):
                raise damaged("PNG")
            palette = content[start:end]
        elif kind in _ANCILLARY:
            # As in browsers, the first one counts, and none of which the checksum is wrong or that is late.
            is_early = not pixels and (kind != b"tRNS" or colour_type != _PALETTE or bool(palette))
            if is_early and kind not in ancillary and _is_sound(content, start, end):
                ancillary[kind] = content[start + 8 : end - 4]
        elif not kind[0] & 0x20 and kind != b"IHDR":
            # What the pixels mean depends on a critical chunk, and this one is unknown.
            raise damaged("PNG")
        start = end
    else:
        raise too_many("PNG", "chunks", MAX_CHUNKS)
    if colour_type == _PALETTE and not palette:
        raise damaged("PNG")
    kept = [_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced))]
    if colour_type == _PALETTE:
        kept.append(palette)
        if b"tRNS" in ancillary:
            kept.append(_chunk(b"tRNS", ancillary[b"tRNS"]))
    # Pillow does not look at the checksum of pixels, nor is it worth the time.
    size = sum(length for length, _ in pieces)
    data = [struct.pack(">I4s", size, b"IDAT"), *(content[start:end] for start, end in pixels), _NO_SUM]
    whole = b"".join((SIGNATURE, *kept, *data, _END))
    return Png(width, height, depth, colour_type, ancillary, whole, tuple(pieces))


def _header(content: bytes) -> tuple[int, int, int, int, int]:
    start = len(SIGNATURE)
    if len(content) < start + 25 or not _is_sound(content, start, start + 25):
        raise damaged("PNG")
    fields = struct.unpack_from(">I4sIIBBBBB", content, start)
    length, kind, width, height, depth, colour_type, compression, filtering, interlaced = fields
    sound = (
        (length, kind) == (13, b"IHDR")
        and depth in _DEPTHS.get(colour_type, ())
        and compression == filtering == 0
        and interlaced in (0, 1)
        and width > 0
        and height > 0
    )
    if not sound:
        raise damaged("PNG")
    return width, height, depth, colour_type, interlaced


def _is_sound(content: bytes, start: int, end: int) -> bool:
    """Whether the checksum of the chunk is right."""
    (stated,) = struct.unpack_from(">I", content, end - 4)
    return zlib.crc32(memoryview(content)[start + 4 : end - 4]) == int(stated)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _profile(chunk: bytes) -> bytes | None:
    """The ICC profile of iCCP: a name, a zero, the method 0, and the deflated profile."""
    _, zero, rest = chunk[:81].partition(b"\0")
    if not zero or rest[:1] != b"\0":
        return None
    start = chunk.index(b"\0") + 2
    try:
        return zlib.decompressobj().decompress(memoryview(chunk)[start:], MAX_PROFILE_BYTES + 1)
    except zlib.error:
        return None


def _mask(images: tuple[Image.Image, ...], key: tuple[int, ...], stop: Stop) -> Image.Image:
    """Transparent where the bands of all `images` have the values of `key`."""
    mask = Image.new("L", images[0].size)
    for strip in strips(mask.size, stop):
        bands = [np.asarray(band) for image in images for band in image.crop(strip).split()]
        equal = np.logical_and.reduce([band == value for band, value in zip(bands, key, strict=True)])
        mask.paste(_opaque_unless(equal), strip)
    return mask


def _opaque_unless(transparent: np.ndarray) -> Image.Image:
    return Image.fromarray(np.where(transparent, 0, 255).astype(np.uint8))
