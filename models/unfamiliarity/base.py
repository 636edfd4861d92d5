"""What every score of unfamiliarity is: fitted once to known images, then a number for each new one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Stored = npt.NDArray[np.float32] | npt.NDArray[np.float16]


@dataclass(frozen=True)
class Reference:
    """What a network makes of images that it knows, and its last layer.

    `features` (N, D) are what its linear classifier takes, `logits` (N, K) what that gives, `labels` (N,)
    the right classes; `weight` (K, D) and `bias` (K,) are the classifier's own. `outliers` (M, D) are the
    features of images that show none of the classes. Raises `ValueError` for shapes that do not belong
    together.
    """

    features: Floats
    logits: Floats
    labels: npt.NDArray[np.int64]
    weight: Floats
    bias: Floats
    outliers: Floats

    def __post_init__(self) -> None:
        (n, dimensions), classes = self.features.shape, self.logits.shape[1]
        expected = {
            "logits": (n, classes),
            "labels": (n,),
            "weight": (classes, dimensions),
            "bias": (classes,),
            "outliers": (len(self.outliers), dimensions),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {getattr(self, name).shape}")


class Score(Protocol):
    """How unfamiliar images are: any number, larger where an image is less like those of the reference."""

    @classmethod
    def fit(cls, reference: Reference) -> Self: ...

    def __call__(self, features: Floats, logits: Floats) -> Floats:
        """Scores (N,) of images with these `features` (N, D) and `logits` (N, K)."""
        ...

    def arrays(self) -> Mapping[str, Stored]:
        """All that was fitted, as it is stored."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        """The score that `arrays` was taken from. Raises `KeyError` for an array that is missing."""
        ...
