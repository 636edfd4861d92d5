"""Two kinds of images told apart by a weighted sum, whose value is the logarithm of the odds."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.unfamiliarity.base import Floats

PENALTY = 0.01
"""On the squares of the weights of inputs that have a variance of 1, beside the mean loss of an image."""
LEAST_DEVIATION = 1e-6
"""Of an input that never varies, as with one image of each kind."""


@dataclass(frozen=True)
class LogisticRegression:
    """`weight` (D,) and `bias` (1,)."""

    weight: Floats
    bias: Floats

    @classmethod
    def fit(cls, known: Floats, others: Floats) -> Self:
        """Tell `others` (M, D) from `known` (N, D); both count the same in all, however many they are.

        Raises `ValueError` where there are none of either.
        """
        # Only training fits; the service, which reads what was fitted, does not need SciPy.
        from scipy.optimize import minimize

        for name, given in (("known", known), ("others", others)):
            if not len(given):
                raise ValueError(f"{name} must hold at least 1 image")
        values = np.concatenate([known, others]).astype(np.float64)
        sign = np.concatenate([np.full(len(known), -1.0), np.full(len(others), 1.0)])
        share = np.where(sign < 0, 0.5 / len(known), 0.5 / len(others))
        mean, deviation = values.mean(axis=0), np.maximum(values.std(axis=0), LEAST_DEVIATION)
        values = (values - mean) / deviation

        def loss(parameters: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            weight, bias = parameters[:-1], parameters[-1]
            margin = sign * (values @ weight + bias)
            # The derivative of log(1 + exp(-margin)), written so that no exponential overflows.
            pull = -sign * share * np.exp(-np.logaddexp(0, margin))
            gradient = np.append(values.T @ pull + 2 * PENALTY * weight, pull.sum())
            total = (share * np.logaddexp(0, -margin)).sum() + PENALTY * np.square(weight).sum()
            return float(total), gradient

        start = np.zeros(values.shape[1] + 1)
        found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000})
        weight = found.x[:-1] / deviation
        bias = found.x[-1] - mean @ weight
        return cls(weight.astype(np.float32), np.array([bias], np.float32))

    def __call__(self, values: Floats) -> Floats:
        """The log-odds (N,) that images with `values` (N, D) are of the `others`, at even odds before."""
        log_odds: Floats = values @ self.weight + self.bias[0]
        return log_odds
