"""What one image of a batch comes out with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Scores:
    """One image's result: the classes by falling probability, as indices and as probabilities 0..1.

    `unfamiliarity` is how unlike all known images it is, 0..1, None where the model cannot tell.
    `inference_seconds` is how long its batch of `batch_size` images was computed, from `started` on, which is
    a time of `perf_counter`.
    """

    classes: list[int]
    probabilities: list[float]
    inference_seconds: float
    started: float
    batch_size: int
    unfamiliarity: float | None = None


def averaged(views: Sequence[Scores]) -> Scores:
    """The result of an image from those of its views: the mean of their probabilities.

    All else is of the first view, which is the image as it is.
    """
    if len(views) == 1:
        return views[0]
    sums = dict.fromkeys(views[0].classes, 0.0)
    for view in views:
        for index, probability in zip(view.classes, view.probabilities, strict=True):
            sums[index] += probability
    classes = sorted(sums, key=sums.__getitem__, reverse=True)
    return replace(views[0], classes=classes, probabilities=[sums[index] / len(views) for index in classes])
