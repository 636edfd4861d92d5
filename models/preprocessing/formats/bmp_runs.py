"""The runs of BMP, RLE8 and RLE4.

Pixels that they skip are unknown. We take them for transparent, since nothing says that they have a colour;
Chromium shows them black.
"""

import numpy as np
from numpy.typing import NDArray

from models.preprocessing.stopping import Stop

MAX_RUN_BYTES = 1 << 20
"""Of one image. They are read one after the other, which takes about a second for so many."""

_CODES_PER_CHECK = 4096


def read_runs(
    codes: memoryview, size: tuple[int, int], *, is_of_4_bits: bool, stop: Stop
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Indices (height, width) in the order of the file, and 255 where they are known; `None` if all are.

    Codes that lead out of the image, or end too early, are passed over, as viewers do.
    """
    width, height = size
    indices = np.zeros((height, width), np.uint8)
    known = np.zeros((height, width), np.uint8)
    x = y = position = count = 0
    while position + 2 <= len(codes) and y < height:
        count += 1
        if count % _CODES_PER_CHECK == 0:
            stop.check()
        length, value = codes[position], codes[position + 1]
        position += 2
        if length:
            pixels = np.full(length, value, np.uint8)
            if is_of_4_bits:
                pixels[0::2], pixels[1::2] = value >> 4, value & 15
        elif value == 0:
            x, y = 0, y + 1
            continue
        elif value == 1:
            break
        elif value == 2:
            if position + 2 > len(codes):
                break
            x, y = x + codes[position], y + codes[position + 1]
            position += 2
            continue
        else:
            stored = (value + 1) // 2 if is_of_4_bits else value
            pixels = np.frombuffer(codes[position : position + stored], np.uint8)
            if is_of_4_bits:
                pixels = np.stack((pixels >> 4, pixels & 15), axis=-1).reshape(-1)
            pixels = pixels[:value]
            position += stored + stored % 2
        end = min(x + len(pixels), width)
        if x < end:
            indices[y, x:end] = pixels[: end - x]
            known[y, x:end] = 255
        x += len(pixels)
    return indices, None if known.all() else known
