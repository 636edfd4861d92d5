"""Scores that need the logits alone, and so nothing that is fitted."""

from collections.abc import Mapping
from typing import Self

import numpy as np

from models.unfamiliarity.base import Floats, Reference


def log_sum_exp(logits: Floats) -> Floats:
    """The logarithm of the sum of exponentials over the last axis: (N, K) to (N,)."""
    largest = logits.max(axis=1)
    total: Floats = largest + np.log(np.exp(logits - largest[:, np.newaxis]).sum(axis=1))
    return total


class OfLogits:
    """Nothing to fit and nothing to store."""

    @classmethod
    def fit(cls, reference: Reference) -> Self:  # noqa: ARG003
        return cls()

    def arrays(self) -> dict[str, Floats]:
        return {}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:  # noqa: ARG003
        return cls()


class MaxSoftmax(OfLogits):
    """One minus the largest probability.

    Source: Hendrycks and Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in
    Neural Networks", 2017, https://arxiv.org/abs/1610.02136.
    """

    def __call__(self, features: Floats, logits: Floats) -> Floats:  # noqa: ARG002
        score: Floats = 1 - np.exp(logits.max(axis=1) - log_sum_exp(logits))
        return score


class MaxLogit(OfLogits):
    """The largest logit, negated.

    Source: Hendrycks et al., "Scaling Out-of-Distribution Detection for Real-World Settings", 2022,
    https://arxiv.org/abs/1911.11132.
    """

    def __call__(self, features: Floats, logits: Floats) -> Floats:  # noqa: ARG002
        score: Floats = -logits.max(axis=1)
        return score


class Energy(OfLogits):
    """The free energy of the logits at temperature 1.

    Source: Liu et al., "Energy-based Out-of-distribution Detection", 2020, https://arxiv.org/abs/2010.03759.
    """

    def __call__(self, features: Floats, logits: Floats) -> Floats:  # noqa: ARG002
        return -log_sum_exp(logits)
