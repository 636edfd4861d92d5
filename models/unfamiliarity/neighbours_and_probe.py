"""How far away the known images are, and on which side of a boundary between them and made outliers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from models.unfamiliarity.base import Floats, Reference, Stored
from models.unfamiliarity.logistic_regression import LogisticRegression
from models.unfamiliarity.nearest_neighbours import NearestNeighbours, directions


@dataclass(frozen=True)
class NeighboursAndProbe:
    """The log-odds that an image is an outlier: by its distance from the known ones, plus by its features.

    Both parts are logistic regressions that tell the reference's outliers from its known images, `odds` by
    the distance of `NearestNeighbours`, and `probe`, a linear probe, by the directions of the features. So
    each counts for as much as it is able to tell; the sum takes them as independent.

    Sources: Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors", 2022,
    https://arxiv.org/abs/2204.06507, for the distance; Hendrycks et al., "Deep Anomaly Detection with
    Outlier Exposure", 2019, https://arxiv.org/abs/1812.04606, for the outliers, here of a fixed network; Tack
    et al., "CSI: Novelty Detection via Contrastive Learning on Distributionally Shifted Instances", 2020,
    https://arxiv.org/abs/2007.08176, for making them from known images.
    """

    neighbours: NearestNeighbours
    odds: LogisticRegression
    probe: LogisticRegression

    @classmethod
    def fit(cls, reference: Reference) -> Self:
        """Raises `ValueError` where the reference has no outliers."""
        if not len(reference.outliers):
            raise ValueError("outliers must hold at least 1 image")
        neighbours = NearestNeighbours.fit(reference)
        distances = neighbours.of_features(reference.outliers)
        return cls(
            neighbours,
            LogisticRegression.fit(neighbours.of_bank()[:, None], distances[:, None]),
            LogisticRegression.fit(directions(reference.features), directions(reference.outliers)),
        )

    def __call__(self, features: Floats, logits: Floats) -> Floats:  # noqa: ARG002
        distances = self.neighbours.of_features(features)
        score: Floats = self.odds(distances[:, None]) + self.probe(directions(features))
        return score

    def arrays(self) -> dict[str, Stored]:
        return {
            **self.neighbours.arrays(),
            "odds_weight": self.odds.weight,
            "odds_bias": self.odds.bias,
            "probe_weight": self.probe.weight,
            "probe_bias": self.probe.bias,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        return cls(
            NearestNeighbours.from_arrays(arrays),
            LogisticRegression(arrays["odds_weight"], arrays["odds_bias"]),
            LogisticRegression(arrays["probe_weight"], arrays["probe_bias"]),
        )
