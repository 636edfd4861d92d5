"""What every format of picture has in common: known before its pixels are decoded, and after."""

from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from models.preprocessing.colours import Colours
from models.preprocessing.stopping import Stop


@dataclass(frozen=True)
class Stored:
    """The pixels as the file stores them: not turned, colours not converted.

    `image` is of mode L, RGB, RGBA, RGBa, LA, P, 1 or CMYK, at full scale divided by `reduction`. `mask`, of
    mode L and the same size, says how opaque each pixel is, where the image itself does not.
    """

    image: Image.Image
    reduction: int = 1
    mask: Image.Image | None = None


class Picture(Protocol):
    """A file whose structure was read, but no pixel of it."""

    @property
    def name(self) -> str:
        """Of the format."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    @property
    def orientation(self) -> int:
        """As in Exif, 1..8."""

    @property
    def colours(self) -> Colours:
        """What the pixels' numbers mean."""

    @property
    def passes(self) -> int:
        """How often the decoder goes over the picture; 1 for all but JPEGs of several scans."""

    @property
    def is_quick(self) -> bool:
        """Whether a file of few bytes and pixels is decoded in a millisecond, whatever stands in it."""

    def memory(self, shortest_side: int | None) -> int:
        """Bytes for the picture in full, decoded and turned upright; strips and the file come on top."""

    def read(self, stop: Stop, shortest_side: int | None) -> Stored:
        """Decode the pixels, at a reduced scale where that is possible and `shortest_side` allows it.

        Raises `ImageError` for a damaged file, `StoppedError` soon after `stop` was asked, and what Pillow
        raises for damaged files.
        """
