"""Memory that a front end and the engine's process share: the pixels of one batch, and what comes of them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

MOST_IMAGES = 16


@dataclass(frozen=True)
class Shape:
    """Of a model: the sides of its images, its classes and its features."""

    channels: int
    size: int
    classes: int
    features: int


class Block:
    """A file that both map: `images` uint8 (16, C, S, S), `logits` (16, K), `features` (16, D), float32."""

    def __init__(self, file: Path, shape: Shape) -> None:
        pixels = MOST_IMAGES * shape.channels * shape.size**2
        numbers = MOST_IMAGES * (shape.classes + shape.features)
        mapped = np.memmap(file, np.uint8, "r+" if file.exists() else "w+", shape=(pixels + 4 * numbers,))
        results: npt.NDArray[np.float32] = mapped[pixels:].view(np.float32)
        of_logits = MOST_IMAGES * shape.classes
        self.images = mapped[:pixels].reshape(MOST_IMAGES, shape.channels, shape.size, shape.size)
        self.logits = results[:of_logits].reshape(MOST_IMAGES, shape.classes)
        self.features = results[of_logits:].reshape(MOST_IMAGES, shape.features)
