"""What reference.json of an artifact holds: how images and answers were spread before the model was served.

The service compares with it what it is sent. An artifact that was exported before there was one has none.
"""

from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.artifact.store import ArtifactError
from models.image_statistics import BRIGHTNESS_EDGES, SHARPNESS_EDGES, brightness_and_sharpness

FILE_NAME = "reference.json"

LEAST_IMAGES = 50
"""That a reference should be of. With 30, chance alone sets off an alert for every tenth data set, with 15
for more than half of them, and it stays on: the reference does not change."""

CONFIDENCE_EDGES = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)

Share = Annotated[float, Field(ge=0, le=1)]


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Spread(Strict):
    """Shares of values in bins. `edges` are the upper ones of all bins but the last, which has none."""

    edges: tuple[float, ...]
    shares: tuple[Share, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"edges must rise, got {self.edges}")
        if len(self.shares) != len(self.edges) + 1:
            raise ValueError(
                f"shares must be one more than edges, {len(self.edges) + 1}, got {len(self.shares)}"
            )
        return self

    @classmethod
    def of(cls, values: Iterable[float], edges: tuple[float, ...]) -> Self:
        counts = [0] * (len(edges) + 1)
        for value in values:
            counts[bisect_left(edges, value)] += 1
        return cls(edges=edges, shares=tuple(count / sum(counts) for count in counts))


class Reference(Strict):
    """Of `images` images that were held out: the shares of the classes they were taken for, and more.

    `confidence` is the calibrated probability of that class; `brightness` and `sharpness` are as in
    `models.image_statistics`.
    """

    images: Annotated[int, Field(ge=1)]
    classes: dict[str, Share]
    confidence: Spread
    brightness: Spread
    sharpness: Spread

    def to_json(self) -> bytes:
        return self.model_dump_json(indent=1).encode()


def measure_reference(
    images: npt.NDArray[np.uint8],
    logits: npt.NDArray[np.float32],
    classes: tuple[str, ...],
    temperature: float,
) -> Reference:
    """Of uint8 `images` (N, C, S, S), which there must be, with their `logits` (N, classes)."""
    scaled = logits.astype(np.float64) / temperature
    confidence = 1 / np.exp(scaled - scaled.max(1, keepdims=True)).sum(1)
    counts = np.bincount(logits.argmax(1), minlength=len(classes)).tolist()
    brightness, sharpness = brightness_and_sharpness(images)
    return Reference(
        images=len(images),
        classes={name: count / len(images) for name, count in zip(classes, counts, strict=True)},
        confidence=Spread.of(confidence.tolist(), CONFIDENCE_EDGES),
        brightness=Spread.of(brightness.tolist(), BRIGHTNESS_EDGES),
        sharpness=Spread.of(sharpness.tolist(), SHARPNESS_EDGES),
    )


def load_reference(folder: Path, classes: tuple[str, ...]) -> Reference:
    """Read reference.json of an artifact of these `classes`. Raises `ArtifactError`."""
    try:
        reference = Reference.model_validate_json((folder / FILE_NAME).read_bytes())
    except (OSError, ValidationError) as error:
        raise ArtifactError(f"{folder / FILE_NAME} cannot be read: {error}") from error
    if tuple(reference.classes) != classes:
        raise ArtifactError(f"{folder / FILE_NAME}: classes must be those of the artifact, in their order")
    return reference
