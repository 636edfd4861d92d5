"""A score with the threshold that tells familiar images from others, as the artifact carries it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from models.unfamiliarity import SCORES
from models.unfamiliarity.base import Floats, Reference, Score

KEPT = 0.95
"""The share of known images that count as familiar."""
STEPS = 96
"""Quantiles that are stored, of 0, 1, ... 95 hundredths."""


def is_familiar(unfamiliarity: float | None) -> bool | None:
    """Whether an image is like the known ones; None stands for a model that cannot tell."""
    return None if unfamiliarity is None else unfamiliarity <= KEPT


class DetectorError(ValueError):
    """The stored detector is damaged or of another kind; the message says what is wrong."""


@dataclass(frozen=True)
class Detector:
    """`quantiles` (96,) are the scores of known images that the score was not fitted to, at 0 to 95 %."""

    name: str
    score: Score
    quantiles: Floats

    @classmethod
    def fit(cls, name: str, reference: Reference, features: Floats, logits: Floats) -> Self:
        """Fit the score `name`, a key of `SCORES`, and set its threshold on images kept apart.

        `features` (N, D) and `logits` (N, K) are of those. Raises `KeyError` for an unknown name.
        """
        score = SCORES[name].fit(reference)
        # By this method a share of new images lies above each quantile that is, on average, the stated one,
        # from 20 images on, where the usual one calls 8 % of 30 unfamiliar in place of 5 %.
        steps = np.arange(STEPS) / 100
        quantiles = np.quantile(score(features, logits), steps, method="weibull")
        return cls(name, score, quantiles.astype(np.float32))

    def unfamiliarity(self, features: Floats, logits: Floats) -> npt.NDArray[np.float64]:
        """How unfamiliar images are, in 0..1, (N,); above 0.95 they are not familiar.

        Up to there it is the share of known images that are more familiar. Beyond, where next to no known
        image lies, it approaches 1 as the score grows, slowly, so that what is stranger still has a higher
        number.
        """
        scores = self.score(features, logits).astype(np.float64)
        threshold, middle = float(self.quantiles[-1]), float(self.quantiles[STEPS // 2])
        within = np.interp(scores, self.quantiles, np.arange(STEPS) / 100)
        width = max(threshold - middle, np.finfo(np.float32).eps * max(1.0, abs(threshold)))
        beyond = 1 - (1 - KEPT) / (1 + np.maximum(scores - threshold, 0) / width)
        result: npt.NDArray[np.float64] = np.where(scores > threshold, beyond, within)
        return result

    def to_bytes(self) -> bytes:
        arrays = {"quantiles": self.quantiles, **{f"score.{k}": v for k, v in self.score.arrays().items()}}
        return save({key: np.ascontiguousarray(array) for key, array in arrays.items()}, {"score": self.name})

    @classmethod
    def from_bytes(cls, content: bytes, name: str) -> Self:
        """Read what `to_bytes` wrote of the score `name`. Raises `DetectorError`."""
        try:
            arrays = {key: array.astype(np.float32) for key, array in load(content).items()}
            own = {key.removeprefix("score."): array for key, array in arrays.items()}
            score = SCORES[name].from_arrays(own)
            quantiles = arrays["quantiles"]
        except SafetensorError as error:
            raise DetectorError(f"the detector of unfamiliar images is not readable: {error}") from error
        except KeyError as error:
            raise DetectorError(f"the detector of unfamiliar images lacks {error}") from error
        rising = quantiles.shape == (STEPS,) and bool((np.diff(quantiles) >= 0).all())
        if not rising or not all(np.isfinite(array).all() for array in arrays.values()):
            raise DetectorError("the detector of unfamiliar images holds numbers that it cannot have")
        return cls(name, score, quantiles)
