"""How the values before and after a batch norm are spread."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.batch_norm.view import BatchNormView

BINS = 40


@dataclass(frozen=True)
class Histograms:
    """How many values lie between one of the `edges`, which rise in equal steps, and the next."""

    edges: list[float]
    before: list[int]
    training: list[int]
    eval: list[int]


def histograms(view: "BatchNormView", channel: int | None = None) -> Histograms:
    """The values of one channel, or of all, in `BINS` steps from the least of all three kinds to the most."""
    kinds = [values.numpy() for values in (view.before, view.training, view.eval)]
    if channel is not None:
        kinds = [values[:, channel] for values in kinds]
    low = min(float(values.min()) for values in kinds)
    high = max(float(values.max()) for values in kinds)
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    before, training, by_running = (np.histogram(values, edges)[0].tolist() for values in kinds)
    return Histograms(edges.tolist(), before, training, by_running)
