"""WebP (RFC 9649): its chunks, and its first frame."""

import struct
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from models.preprocessing.colours import Colours, by_profile
from models.preprocessing.formats.pillow import damage_told, opened
from models.preprocessing.image_error import damaged, too_many
from models.preprocessing.orientation import exif_orientation
from models.preprocessing.picture import Stored
from models.preprocessing.stopping import Stop, StoppableFile

MAX_CHUNKS = 10_000
"""Each frame of an animation is one."""

_BYTES_PER_PIXEL = 24
"""libwebp's canvases and its picture while it decodes, the copy that Pillow takes of it, and the RGB one."""


_ICCP_FLAG, _ALPHA_FLAG, _EXIF_FLAG, _ANIMATION_FLAG = 0x20, 0x10, 0x08, 0x02
"""Of VP8X."""

_ANNOUNCED = {b"ICCP": _ICCP_FLAG, b"EXIF": _EXIF_FLAG}
"""What counts only where VP8X announces it, as in browsers."""

Frame = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True)
class WebP:
    """`chunks` are the contents of ICCP and EXIF, `kept` is the file of its complete chunks.

    `frame` is where the first frame stands, if it is a part of an animation without alpha. libwebp leaves the
    rest black, while browsers show the page there.
    """

    width: int
    height: int
    chunks: dict[bytes, bytes]
    kept: bytes
    frame: Frame | None = None
    name: str = "WebP"
    passes: int = 1
    is_quick: bool = True

    @cached_property
    def orientation(self) -> int:
        """Browsers show a WebP as it is stored. We turn it, since a photo is recognised best upright."""
        return exif_orientation(self.chunks.get(b"EXIF", b""))

    @cached_property
    def colours(self) -> Colours:
        return by_profile(self.chunks.get(b"ICCP"), self.width * self.height)

    def memory(self, shortest_side: int | None) -> int:  # noqa: ARG002
        return (_BYTES_PER_PIXEL + (self.frame is not None)) * self.width * self.height

    def read(self, stop: Stop, shortest_side: int | None) -> Stored:  # noqa: ARG002
        stop.check()
        image = opened(StoppableFile(self.kept, stop), self.name)
        if image.size != (self.width, self.height):
            raise damaged(self.name)
        with damage_told(self.name):
            image.load()
        if self.frame is None:
            return Stored(image)
        mask = Image.new("L", image.size)
        mask.paste(255, self.frame)
        return Stored(image, mask=mask)


def is_webp(content: bytes) -> bool:
    return content.startswith(b"RIFF") and content[8:12] == b"WEBP"


def inspect(content: bytes) -> WebP:
    """Raises `ImageError`.

    Neither the size of the whole file counts, nor a chunk that is cut off: browsers show what is complete.
    """
    chunks: dict[bytes, bytes] = {}
    start, end, flags, size, first = 12, 12, 0, None, None
    for _ in range(MAX_CHUNKS):
        if start + 8 > len(content):
            break
        kind, length = struct.unpack_from("<4sI", content, start)
        body = start + 8
        if size is None:
            size = _size(kind, content[body : body + 10])
            flags = content[body] if kind == b"VP8X" else 0
        start = body + length + length % 2
        if body + length > len(content):
            break
        end = start
        if flags & _ANNOUNCED.get(kind, 0) and kind not in chunks:
            chunks[kind] = content[body : body + length]
        if kind == b"ANMF" and first is None and length >= 12:
            first = _frame(content[body : body + 12])
    else:
        raise too_many("WebP", "chunks", MAX_CHUNKS)
    if size is None:
        raise damaged("WebP")
    if flags & (_ANIMATION_FLAG | _ALPHA_FLAG) != _ANIMATION_FLAG or first == (0, 0, *size):
        first = None
    return WebP(*size, chunks, _file(content[12:end], end - 12), first)


def _file(chunks: bytes, size: int) -> bytes:
    """A WebP of so many bytes of `chunks`; of the last one the byte that makes it even may lack."""
    return b"RIFF" + struct.pack("<I", size + 4) + b"WEBP" + chunks.ljust(size, b"\0")


def _frame(body: bytes) -> Frame:
    """Where the frame of an ANMF stands."""
    left, top, width, height = (int.from_bytes(body[at : at + 3], "little") for at in range(0, 12, 3))
    return 2 * left, 2 * top, 2 * left + width + 1, 2 * top + height + 1


def _size(kind: bytes, body: bytes) -> tuple[int, int]:
    """Width and height by the first chunk."""
    if len(body) == 10 and kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if len(body) == 10 and kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", body, 6)
        return width & 0x3FFF, height & 0x3FFF
    if len(body) >= 5 and kind == b"VP8L" and body[0] == 0x2F:
        (bits,) = struct.unpack_from("<I", body, 1)
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    raise damaged("WebP")
