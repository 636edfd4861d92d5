"""How far samples are from the distribution that they should have, in units that suit any sample size."""

import math

import torch
from torch import Tensor


def uniform_misfit(values: Tensor, low: float, high: float) -> float:
    """The Kolmogorov-Smirnov statistic of `values` (n,) against the uniform distribution, times sqrt(n).

    Samples of that distribution exceed 1.95 once in a thousand times.
    """
    n = len(values)
    expected = (values.double().sort().values - low) / (high - low)
    steps = torch.arange(n + 1, dtype=torch.float64) / n
    distance = torch.maximum((expected - steps[:-1]).abs().max(), (expected - steps[1:]).abs().max())
    return float(distance) * math.sqrt(n)


def equal_counts_misfit(values: Tensor, classes: int) -> float:
    """How far `values`, integers (n,) in 0..classes - 1, are from being equally frequent.

    The chi-square statistic in standard deviations from its mean: such samples seldom exceed 4.
    """
    counts = torch.bincount(values, minlength=classes).double()
    expected = len(values) / classes
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    degrees = classes - 1
    return (chi_square - degrees) / math.sqrt(2 * degrees)
