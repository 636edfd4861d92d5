"""How unlike every class, beyond how unlike the known images as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from models.unfamiliarity.base import Floats, Reference

RIDGE = 1e-6
"""Added to each variance, as a share of their mean: features that never vary have none to divide by."""

LEAST_VARIANCE = 1e-12
"""Of features that never vary, as with one image of each class: less, and squares would exceed float32."""


@dataclass(frozen=True)
class RelativeMahalanobis:
    """The squared Mahalanobis distance from the nearest class, less that from all images together.

    All classes share one covariance. `within` and `overall` (D, D) map a feature to a space where that
    covariance, and that of all images, is the identity; `means` (K, D) are those of the classes, `mean` (D,)
    is that of all images.

    Source: Ren et al., "A Simple Fix to Mahalanobis Distance for Improving Near-OOD Detection", 2021,
    https://arxiv.org/abs/2106.09022.
    """

    means: Floats
    mean: Floats
    within: Floats
    overall: Floats

    @classmethod
    def fit(cls, reference: Reference) -> Self:
        features = reference.features.astype(np.float64)
        classes = np.unique(reference.labels)
        means = np.stack([features[reference.labels == label].mean(axis=0) for label in classes])
        mean = features.mean(axis=0)
        own_means = means[np.searchsorted(classes, reference.labels)]
        return cls(
            means.astype(np.float32),
            mean.astype(np.float32),
            _whitening(features - own_means),
            _whitening(features - mean),
        )

    def __call__(self, features: Floats, logits: Floats) -> Floats:  # noqa: ARG002
        whitened, centres = features @ self.within, self.means @ self.within
        products = whitened @ centres.T
        squares = np.square(whitened).sum(axis=1, keepdims=True) + np.square(centres).sum(axis=1)
        nearest = (squares - 2 * products).min(axis=1)
        score: Floats = nearest - np.square((features - self.mean) @ self.overall).sum(axis=1)
        return score

    def arrays(self) -> dict[str, Floats]:
        return {"means": self.means, "mean": self.mean, "within": self.within, "overall": self.overall}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        return cls(arrays["means"], arrays["mean"], arrays["within"], arrays["overall"])


def _whitening(centred: npt.NDArray[np.float64]) -> Floats:
    variances, directions = np.linalg.eigh(centred.T @ centred / len(centred))
    variances = np.maximum(variances, 0) + RIDGE * max(float(variances.mean()), LEAST_VARIANCE)
    matrix: Floats = (directions / np.sqrt(variances)).astype(np.float32)
    return matrix
