"""How far away the known images are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from models.unfamiliarity.base import Floats, Reference, Stored
from models.unfamiliarity.stratified import stratified

NEIGHBOURS = 10
"""At most, and a third of the images of a class at most: where a class has as many as are counted, or fewer,
the last of them is of another class, and images of one class are as far from it as those of none."""
BANK = 1000
"""Known images that are kept: two thousand of CIFAR-10 do hardly better, in twice the time and bytes."""
OF_A_CLASS = 5
"""Images of a class that are kept where there are so many classes that this makes more than `BANK`."""


def bank_size(classes: int) -> int:
    """How many known images are kept of so many classes."""
    return max(BANK, OF_A_CLASS * classes)


@dataclass(frozen=True)
class NearestNeighbours:
    """The distance from the nearest of the known images but so many, by the directions of the features.

    It is one minus the cosine of the angle between them, in 0..2. `bank` holds unit vectors, (M, D), of
    images drawn from the reference, as many of each class; `neighbours` (1,) is which of them counts, the
    tenth where there are enough.

    Source: Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors", 2022,
    https://arxiv.org/abs/2204.06507.
    """

    bank: Floats
    neighbours: Floats

    @classmethod
    def fit(cls, reference: Reference) -> Self:
        _, counts = np.unique(reference.labels, return_counts=True)
        chosen = stratified(reference.labels, bank_size(len(counts)))
        _, kept = np.unique(reference.labels[chosen], return_counts=True)
        neighbours = min(max(int(np.median(kept)) // 3, 1), NEIGHBOURS)
        # Stored in half the bytes; fitted as stored, so that the threshold belongs to what is read back.
        bank = directions(reference.features[chosen]).astype(np.float16).astype(np.float32)
        return cls(bank, np.array([neighbours], np.float32))

    def __call__(self, features: Floats, logits: Floats) -> Floats:  # noqa: ARG002
        return self.of_features(features)

    def of_features(self, features: Floats) -> Floats:
        """Scores (N,) by the `features` (N, D) alone, which is all that counts."""
        return self._distances(features, int(self.neighbours[0]))

    def of_bank(self) -> Floats:
        """Scores (M,) of the images in the bank, each by the others alone."""
        return self._distances(self.bank, int(self.neighbours[0]) + 1)

    def _distances(self, features: Floats, neighbours: int) -> Floats:
        similarities = directions(features) @ self.bank.T
        place = len(self.bank) - min(neighbours, len(self.bank))
        score: Floats = 1 - np.partition(similarities, place, axis=1)[:, place]
        return score

    def arrays(self) -> dict[str, Stored]:
        return {"bank": self.bank.astype(np.float16), "neighbours": self.neighbours}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        # Artifacts that were made before the number depended on the classes do not state it.
        return cls(arrays["bank"], arrays.get("neighbours", np.array([NEIGHBOURS], np.float32)))


def directions(features: Floats) -> Floats:
    """`features` (N, D) as unit vectors; one of zeros stays as it is."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit: Floats = features / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit
