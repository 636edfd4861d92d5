"""A picture strip by strip, so that what is made of it on the way is never held in full size."""

from collections.abc import Iterator

from models.preprocessing.stopping import Stop

STRIP_PIXELS = 1 << 19
"""A strip is decoded or converted in some milliseconds, and its copies take a few megabytes."""

STRIP_BYTES = 24 * STRIP_PIXELS
"""What the copies of one strip take at most."""

Strip = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels: always the whole width."""


def strips(size: tuple[int, int], stop: Stop) -> Iterator[Strip]:
    """The strips of a picture of `size` (width, height), from top to bottom. Raises `StoppedError`."""
    width, height = size
    rows = max(1, STRIP_PIXELS // max(width, 1))
    for top in range(0, height, rows):
        stop.check()
        yield 0, top, width, min(top + rows, height)
