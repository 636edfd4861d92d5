"""How an artifact fares on pictures that something happened to: corruptions, encodings, sizes, movements."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch import Tensor

from models.artifact.metadata import ModelMetadata
from models.artifact.robustness import Condition, Figures, Group, Robustness
from models.artifact.store import ArtifactError
from models.preprocessing.transform import Preprocessing
from training.data.cifar10 import ImageData, Split
from training.evaluation.conditions import CONDITIONS
from training.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from training.evaluation.evaluate import accuracy
from training.evaluation.measure import require_classes

Answer = Callable[[Tensor], Tensor]
"""Logits (N, classes) of uint8 images (N, C, S, S), of the size that the artifact takes."""


def sample(split: Split, count: int | None, seed: int) -> Split:
    """`count` of the images, chosen by `seed`, or all of them. Raises `ValueError` where there are fewer."""
    if count is None:
        return split
    if count > len(split):
        raise ValueError(f"--images must be at most the {len(split):,} test images, got {count:,}")
    chosen = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))[:count].sort().values
    return Split(split.images[chosen], split.labels[chosen])


def measure_robustness(
    metadata: ModelMetadata,
    answers: Mapping[str, Answer],
    data: ImageData,
    *,
    count: int | None,
    seed: int,
    console: Console,
) -> Robustness:
    """Answer the test images of `data`, or `count` of them, as they are and under every condition.

    `answers` are the networks by precision. The images have to be in colour and of the size that the artifact
    takes, as `training.data.load` gives them; every condition that leaves another size is scaled as the
    service does.

    Raises `ArtifactError` where the artifact's classes are not the data set's, or its channels not 3.
    """
    require_classes(metadata, data)
    if metadata.in_channels != 3:
        raise ArtifactError(f"in_channels must be 3 to measure robustness, got {metadata.in_channels}")
    test = sample(data.test, count, seed)
    preprocessing = Preprocessing.from_metadata(metadata)
    untouched = {name: answer(test.images).cpu() for name, answer in answers.items()}
    labels = test.labels.cpu()
    conditions = []
    for group, name, level, images in _conditions(test.images, preprocessing, seed):
        console.print(f"{name}, {level}", highlight=False)
        figures = {}
        for precision, answer in answers.items():
            logits = answer(images).cpu()
            figures[precision] = Figures(
                accuracy=accuracy(logits, labels),
                changed=1 - accuracy(logits, untouched[precision].argmax(1)),
            )
        conditions.append(Condition(group=group, name=name, level=level, figures=figures))
    return Robustness(
        name=metadata.name,
        version=metadata.version,
        tensors_sha256=metadata.tensors_sha256,
        data=data.name,
        images=len(test),
        seed=seed,
        clean={precision: accuracy(logits, labels) for precision, logits in untouched.items()},
        mean_corrupted={
            precision: _mean(
                [each.figures[precision].accuracy for each in conditions if each.group == "corruption"]
            )
            for precision in answers
        },
        conditions=conditions,
    )


def _conditions(
    images: Tensor, preprocessing: Preprocessing, seed: int
) -> Iterator[tuple[Group, str, str, Tensor]]:
    """Group, name and level of every condition, and the uint8 images (N, 3, S, S) under it."""
    for name in CORRUPTIONS:
        for severity in SEVERITIES:
            yield "corruption", name, str(severity), corrupt(images, name, severity, seed)
    pictures = [Image.fromarray(pixels) for pixels in images.permute(0, 2, 3, 1).cpu().numpy()]
    for each in CONDITIONS:
        squares = np.stack([preprocessing.resize(each.apply(picture)) for picture in pictures])
        yield each.group, each.name, each.level, torch.from_numpy(squares).to(images.device)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def show(robustness: Robustness, console: Console) -> None:
    """Print a table: a row for each thing that happened, the mean over its levels and the worst of them."""
    precisions = list(robustness.clean)
    table = Table("what happened", "levels", *(f"{precision}: accuracy" for precision in precisions))
    for precision in precisions:
        table.add_column(f"{precision}: worst level")
    for precision in precisions:
        table.add_column(f"{precision}: changed")
    table.add_row("nothing", "", *(f"{robustness.clean[precision]:.2%}" for precision in precisions))
    for name in dict.fromkeys(each.name for each in robustness.conditions):
        own = [each for each in robustness.conditions if each.name == name]
        cells = [
            f"{_mean([each.figures[precision].accuracy for each in own]):.2%}" for precision in precisions
        ]
        for precision in precisions:
            _, number = min((each.figures[precision].accuracy, number) for number, each in enumerate(own))
            worst = own[number]
            cells.append(f"{worst.figures[precision].accuracy:.2%} ({worst.level})")
        cells += [
            f"{_mean([each.figures[precision].changed for each in own]):.2%}" for precision in precisions
        ]
        table.add_row(name, str(len(own)), *cells)
    console.print(table)
    for precision in precisions:
        console.print(
            f"mean accuracy over the {len(CORRUPTIONS)} corruptions at {len(SEVERITIES)} severities, "
            f"{precision}: {robustness.mean_corrupted[precision]:.2%} of {robustness.images:,} images each"
        )
