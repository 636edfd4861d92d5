"""GIF (version 89a): its first frame, and the page around it, which is transparent."""

import struct
from dataclasses import dataclass

from PIL import Image, ImageFile

from models.preprocessing.colours import SRGB, Colours
from models.preprocessing.formats.pillow import damage_told, opened
from models.preprocessing.image_error import damaged, too_many
from models.preprocessing.picture import Stored
from models.preprocessing.stopping import Stop, StoppableFile

SIGNATURES = (b"GIF87a", b"GIF89a")

MAX_BLOCKS = 100_000
"""Of extensions before the first frame. A comment or profile is cut into blocks of up to 255 bytes."""

_BLOCK_BYTES = 4096
_BYTES_PER_PIXEL = 7
_EXTENSION, _FRAME, _CONTROL = 0x21, 0x2C, 0xF9


@dataclass(frozen=True)
class Gif:
    """`kept` is the file without its extensions but the one that belongs to the first frame."""

    width: int
    height: int
    kept: bytes
    transparent: int | None
    frame: tuple[int, int, int, int]
    name: str = "GIF"
    orientation: int = 1
    passes: int = 1
    is_quick: bool = True
    colours: Colours = SRGB

    def memory(self, shortest_side: int | None) -> int:  # noqa: ARG002
        return _BYTES_PER_PIXEL * self.width * self.height

    def read(self, stop: Stop, shortest_side: int | None) -> Stored:  # noqa: ARG002
        image = opened(StoppableFile(self.kept, stop), self.name)
        assert isinstance(image, ImageFile.ImageFile)
        image.decodermaxblock = _BLOCK_BYTES
        with damage_told(self.name):
            image.load()
        whole = self.frame == (0, 0, *image.size)
        if whole and self.transparent is None:
            return Stored(image)
        mask = Image.new("L", image.size)
        mask.paste(255, self.frame)
        if self.transparent is not None:
            # The indices, not the colours: another entry of the palette may look the same.
            opaque = image.point([0 if index == self.transparent else 255 for index in range(256)], "L")
            mask.paste(opaque.crop(self.frame), self.frame)
        image.info.pop("transparency", None)
        return Stored(image, mask=mask)


def inspect(content: bytes) -> Gif:
    """Raises `ImageError`."""
    if len(content) < 13:
        raise damaged("GIF")
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    start = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    screen = content[:start]
    control = b""
    blocks = 0
    while True:
        kind = content[start : start + 1]
        if kind == bytes([_FRAME]):
            break
        if kind != bytes([_EXTENSION]) or start + 3 > len(content):
            raise damaged("GIF")
        if content[start + 1] == _CONTROL and content[start + 2] >= 4:
            control = content[start + 3 : start + 7]
        start += 2
        while start < len(content) and content[start]:
            start += content[start] + 1
            blocks += 1
            if blocks > MAX_BLOCKS:
                raise too_many("GIF", "blocks before its first frame", MAX_BLOCKS)
        start += 1
        blocks += 1
        if blocks > MAX_BLOCKS:
            raise too_many("GIF", "blocks before its first frame", MAX_BLOCKS)
    if start + 11 > len(content):
        raise damaged("GIF")
    left, top, frame_width, frame_height = struct.unpack_from("<HHHH", content, start + 1)
    frame = left, top, left + frame_width, top + frame_height
    # A frame can be larger than the screen.
    width, height = max(width, frame[2]), max(height, frame[3])
    if not (frame_width and frame_height):
        raise damaged("GIF")
    transparent = control[3] if len(control) == 4 and control[0] & 1 else None
    extension = b"" if len(control) < 4 else b"\x21\xf9\x04" + control + b"\0"
    return Gif(width, height, screen + extension + content[start:], transparent, frame)
