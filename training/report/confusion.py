"""The confusion that a figure or a page can show: of very many classes, those most often confused."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHOWN = 30
"""Classes of which every count is shown: a table of more has thousands of numbers that nobody reads, and a
figure of it takes gigabytes to draw."""


@dataclass(frozen=True)
class Confusion:
    """`counts[i][j]` images of `classes[i]` were taken for `classes[j]`; `totals[i]` are all of `classes[i]`.

    `note` says what is left out, and is empty where that is nothing.
    """

    classes: tuple[str, ...]
    counts: list[list[int]]
    totals: list[int]
    note: str


def shown_confusion(confusion: Sequence[Sequence[int]], classes: Sequence[str]) -> Confusion:
    """Of a confusion matrix (true, predicted) at most `SHOWN` classes, in their order.

    Where there are more, they are those in most mistakes: of their images taken for others, and of others
    taken for them.
    """
    counts = np.asarray(confusion)
    totals = counts.sum(1)
    if len(classes) <= SHOWN:
        return Confusion(tuple(classes), counts.tolist(), totals.tolist(), "")
    mistakes = totals + counts.sum(0) - 2 * counts.diagonal()
    chosen = np.sort(np.argsort(-mistakes, kind="stable")[:SHOWN])
    return Confusion(
        tuple(classes[i] for i in chosen),
        counts[np.ix_(chosen, chosen)].tolist(),
        totals[chosen].tolist(),
        f"the {SHOWN} of {len(classes):,} classes that are most often confused",
    )
