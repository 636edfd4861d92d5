"""What of the features the known images never have, weighed against the logits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from models.unfamiliarity.base import Floats, Reference
from models.unfamiliarity.of_logits import log_sum_exp

LEAST_LENGTH = 1e-6
"""Of what known images have outside the principal space, which may be nothing where they are few."""


@dataclass(frozen=True)
class Vim:
    """Virtual-logit matching: the length of the features outside their principal space, less the energy.

    `origin` (D,) is where the classifier's logits are all zero, as near as they get; `residual` (D, D - P)
    spans what the P principal directions leave; `weight` is such that both parts are as large on known
    images. P is half of D, or 512 of features of 1,024 and more.

    Source: Wang et al., "ViM: Out-Of-Distribution with Virtual-logit Matching", 2022,
    https://arxiv.org/abs/2203.10807.
    """

    origin: Floats
    residual: Floats
    weight: Floats

    @classmethod
    def fit(cls, reference: Reference) -> Self:
        dimensions = reference.features.shape[1]
        principal = min(512, dimensions // 2)
        origin = -(np.linalg.pinv(reference.weight) @ reference.bias).astype(np.float32)
        centred = (reference.features - origin).astype(np.float64)
        # In rising order of what they explain.
        _, directions = np.linalg.eigh(centred.T @ centred / len(centred))
        residual = directions[:, : dimensions - principal].astype(np.float32)
        lengths = np.linalg.norm((reference.features - origin) @ residual, axis=1)
        largest = reference.logits.max(axis=1)
        weight = np.float32(largest.mean() / max(float(lengths.mean()), LEAST_LENGTH))
        return cls(origin, residual, np.array([weight], dtype=np.float32))

    def __call__(self, features: Floats, logits: Floats) -> Floats:
        lengths = np.linalg.norm((features - self.origin) @ self.residual, axis=1)
        score: Floats = self.weight[0] * lengths - log_sum_exp(logits)
        return score

    def arrays(self) -> dict[str, Floats]:
        return {"origin": self.origin, "residual": self.residual, "weight": self.weight}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        return cls(arrays["origin"], arrays["residual"], arrays["weight"])
