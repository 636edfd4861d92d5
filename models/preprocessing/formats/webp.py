"""WebP (RFC 9649): its chunks, and its first frame."""

import struct
from dataclasses import dataclass
from functools import cached_property

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


@dataclass(frozen=True)
class WebP:
    """`chunks` are the contents of ICCP and EXIF, `content` is the whole file."""

    width: int
    height: int
    chunks: dict[bytes, bytes]
    content: bytes
    name: str = "WebP"
    passes: int = 1
    is_quick: bool = True

    @cached_property
    def orientation(self) -> int:
        return exif_orientation(self.chunks.get(b"EXIF", b""))

    @cached_property
    def colours(self) -> Colours:
        return by_profile(self.chunks.get(b"ICCP"), self.width * self.height)

    def memory(self, shortest_side: int | None) -> int:  # noqa: ARG002
        return _BYTES_PER_PIXEL * self.width * self.height

    def read(self, stop: Stop, shortest_side: int | None) -> Stored:  # noqa: ARG002
        stop.check()
        image = opened(StoppableFile(self.content, stop), self.name)
        if image.size != (self.width, self.height):
            raise damaged(self.name)
        with damage_told(self.name):
            image.load()
        return Stored(image)


def is_webp(content: bytes) -> bool:
    return content.startswith(b"RIFF") and content[8:12] == b"WEBP"


def inspect(content: bytes) -> WebP:
    """Raises `ImageError`."""
    chunks: dict[bytes, bytes] = {}
    start, size = 12, None
    for _ in range(MAX_CHUNKS):
        if start + 8 > len(content):
            break
        kind, length = struct.unpack_from("<4sI", content, start)
        body = start + 8
        if size is None:
            size = _size(kind, content[body : body + 10])
        if kind in (b"ICCP", b"EXIF") and kind not in chunks:
            chunks[kind] = content[body : body + length]
        start = body + length + length % 2
    else:
        raise too_many("WebP", "chunks", MAX_CHUNKS)
    if size is None:
        raise damaged("WebP")
    return WebP(*size, chunks, content)


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
