"""The energy after features that stand out have been made to count for more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from models.unfamiliarity.base import Floats, Reference
from models.unfamiliarity.of_logits import log_sum_exp

PERCENTILE = 85.0


@dataclass(frozen=True)
class Scale:
    """SCALE: features are multiplied by exp(sum of all / sum of the largest 15 %), then scored by the energy.

    `weight` (K, D) and `bias` (K,) are the classifier's. Features must be 0 or more, as behind a ReLU.

    Source: Xu et al., "Scaling for Training Time and Post-hoc Out-of-distribution Detection Enhancement",
    2024, https://arxiv.org/abs/2310.00227.
    """

    weight: Floats
    bias: Floats

    @classmethod
    def fit(cls, reference: Reference) -> Self:
        return cls(reference.weight, reference.bias)

    def __call__(self, features: Floats, logits: Floats) -> Floats:  # noqa: ARG002
        bounds = np.percentile(features, PERCENTILE, axis=1, keepdims=True)
        total = features.sum(axis=1, keepdims=True)
        above = np.where(features >= bounds, features, 0).sum(axis=1, keepdims=True)
        ratio = total / np.maximum(above, np.finfo(np.float32).tiny)
        scaled = features * np.exp(ratio).astype(np.float32)
        return -log_sum_exp(scaled @ self.weight.T + self.bias)

    def arrays(self) -> dict[str, Floats]:
        return {"weight": self.weight, "bias": self.bias}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        return cls(arrays["weight"], arrays["bias"])
