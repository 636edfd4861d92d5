"""What averaging over views of each image gains in accuracy, calibration and doubt, and what it costs."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from time import perf_counter

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from models.artifact.store import Artifact, ArtifactError
from models.engines import Engine
from models.views import VIEWS, views_of
from training.data.cifar10 import ImageData, Split
from training.evaluation.batch_size import batch_size
from training.evaluation.corruptions.mix import corrupted_mix
from training.evaluation.evaluate import evaluate
from training.evaluation.measure import require_classes
from training.evaluation.robustness import sample
from training.evaluation.unfamiliar import auroc


@dataclass(frozen=True)
class Gain:
    """Of the mean over the first `views`: shares in 0..1, on test images as they are and on corrupted ones.

    `auroc` is how well the highest probability tells other pictures from test images with the right answer,
    None without other pictures or without a right answer.
    """

    views: int
    accuracy: float
    calibration_error: float
    corrupted_accuracy: float
    corrupted_calibration_error: float
    auroc: float | None
    milliseconds_per_image: float


def measure_views(
    artifact: Artifact,
    engine: Engine,
    data: ImageData,
    others: Tensor | None,
    *,
    count: int | None,
    seed: int,
) -> list[Gain]:
    """One row for each number of views. `others` is uint8 (N, C, S, S), or None.

    Raises `ArtifactError` where the artifact's classes or channels are not the data set's, and `ValueError`
    for more images than there are.
    """
    about = artifact.metadata
    require_classes(about, data)
    if about.in_channels != (channels := data.test.images.shape[1]):
        raise ArtifactError(f"in_channels must be {channels} for these images, got {about.in_channels}")
    temperature = about.temperature_of(engine.precision)
    test = sample(data.test, count, seed)

    def answers(images: Tensor) -> tuple[Tensor, float]:
        """Probabilities (N, views, classes), and the seconds that they took."""
        began = perf_counter()
        parts = []
        pictures = (engine.max_batch or batch_size(images)) // len(VIEWS)
        for batch in torch.split(images.cpu(), max(1, pictures)):
            views = views_of(batch, len(VIEWS))
            logits = torch.from_numpy(engine.predict(views.flatten(0, 1).numpy()))
            parts.append((logits / temperature).softmax(1).view(len(batch), len(VIEWS), -1))
        return torch.cat(parts), perf_counter() - began

    clean, seconds = answers(test.images)
    corrupted, _ = answers(corrupted_mix(test.images, seed))
    other = None if others is None else answers(others)[0]
    one_view = seconds / len(test) / len(VIEWS)
    return [_gain(views, clean, corrupted, other, test, data.classes, one_view) for views in _counts()]


def _counts() -> range:
    return range(1, len(VIEWS) + 1)


def _gain(
    views: int,
    clean: Tensor,
    corrupted: Tensor,
    others: Tensor | None,
    test: Split,
    classes: tuple[str, ...],
    seconds: float,
) -> Gain:
    mean, mean_corrupted = (each[:, :views].mean(1) for each in (clean, corrupted))
    labels = test.labels.cpu()
    # Their softmax at temperature 1 is what they are.
    whole, under = (evaluate(each.log(), labels, classes, 1.0) for each in (mean, mean_corrupted))
    area, right = None, mean[mean.argmax(1) == labels].max(1).values
    if others is not None and len(right):
        area = auroc(1 - others[:, :views].mean(1).max(1).values.numpy(), 1 - right.numpy())
    return Gain(
        views,
        whole.accuracy,
        whole.expected_calibration_error,
        under.accuracy,
        under.expected_calibration_error,
        area,
        1000 * seconds * views,
    )


def to_json(gains: Sequence[Gain]) -> str:
    return json.dumps([asdict(each) for each in gains], indent=1)


def show(gains: Sequence[Gain], console: Console) -> None:
    table = Table("views", "accuracy", "ECE", "corrupted", "corrupted ECE", "AUROC", "ms an image")
    for each in gains:
        table.add_row(
            str(each.views),
            f"{each.accuracy:.2%}",
            f"{each.calibration_error:.2%}",
            f"{each.corrupted_accuracy:.2%}",
            f"{each.corrupted_calibration_error:.2%}",
            "" if each.auroc is None else f"{each.auroc:.3f}",
            f"{each.milliseconds_per_image:.1f}",
        )
    console.print(table)
