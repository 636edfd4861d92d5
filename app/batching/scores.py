"""What one image of a batch comes out with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scores:
    """One image's result: the classes by falling probability, as indices and as probabilities 0..1.

    `inference_seconds` is how long its batch of `batch_size` images was computed, from `started` on, which is
    a time of `perf_counter`.
    """

    classes: list[int]
    probabilities: list[float]
    inference_seconds: float
    started: float
    batch_size: int
