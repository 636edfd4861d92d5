"""How well each score of unfamiliarity tells test images that a network gets right from other pictures."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from models.artifact.store import Artifact
from models.features import last_linear
from models.preprocessing.decode import decode
from models.preprocessing.image_error import ImageError
from models.preprocessing.transform import Preprocessing
from models.unfamiliarity import SCORES
from models.unfamiliarity.detector import KEPT, Detector
from models.unfamiliarity.nearest_neighbours import bank_size
from training.data.cifar10 import DataError, ImageData
from training.data.folder_layout import Skipped, files_below
from training.data.image_file import read_image_file
from training.data.image_folder import MAX_PIXELS
from training.evaluation.measure import require_classes
from training.evaluation.outputs import Answer, Outputs, reference
from training.evaluation.robustness import sample

REFERENCE_IMAGES = 2000
"""Training images that a score is fitted to, as many of each class: so many, or more of many classes."""
SEED = 0
"""Of the choice of test images."""


@dataclass(frozen=True)
class Separation:
    """`auroc` is of other pictures against test images with the right answer, 0.5 by chance and 1 at best.

    `others` and `right` are the shares of both that are unfamiliar at the threshold which keeps `KEPT` of the
    validation images.
    """

    score: str
    auroc: float
    others: float
    right: float


class Pictures(NamedTuple):
    """Images as the service makes them, uint8 (N, C, S, S), their files, and the files that are no images."""

    images: Tensor
    files: list[Path]
    left_out: list[Path]


def read_pictures(folder: Path, preprocessing: Preprocessing) -> Pictures:
    """All images below `folder`. Raises `DataError` where there is none."""
    images, files, left_out = [], [], []
    for found in files_below(folder):
        if isinstance(found, Skipped):
            left_out.append(Path(found.path))
            continue
        try:
            decoded = decode(read_image_file(found), MAX_PIXELS, preprocessing.input_size)
        except (ImageError, OSError):
            left_out.append(found)
        else:
            images.append(preprocessing.resize(decoded.image, decoded.box))
            files.append(found)
    if not images:
        raise DataError(f"{folder}: there is no image below it")
    return Pictures(torch.from_numpy(np.stack(images)), files, left_out)


def measure_separation(
    artifact: Artifact, answer: Answer, data: ImageData, others: Tensor, count: int | None = None
) -> list[Separation]:
    """Every score of `SCORES`: fitted to training images, its threshold set on the validation images.

    `answer` is what computes `artifact`. `others` is uint8 (N, C, S, S), and so are the images of `data`, of
    whose test images `count` are used, or all. Raises `ArtifactError` where the artifact's classes are not
    the data set's, and `ValueError` where `data` has no validation images, fewer than `count` test images, or
    none of these that is answered right.
    """
    require_classes(artifact.metadata, data)
    if not len(data.held_out):
        raise ValueError("held_out must be at least 1: the threshold is set on validation images")
    count_known = max(REFERENCE_IMAGES, bank_size(len(data.classes)))
    known = reference(answer, last_linear(artifact.model), data.train, count_known)
    part = sample(data.test, count, SEED)
    validation, test, other = (answer(images) for images in (data.held_out.images, part.images, others))
    is_right = test.logits.argmax(1) == part.labels.cpu().numpy()
    if not is_right.any():
        raise ValueError(f"none of {len(part):,} test images is answered right: nothing to tell others from")
    right = Outputs(test.features[is_right], test.logits[is_right])
    return [separate(Detector.fit(name, known, *validation), right, other) for name in SCORES]


def separate(detector: Detector, right: Outputs, others: Outputs) -> Separation:
    """How well `detector` tells `others` from images with the `right` answer."""
    of_right, of_others = detector.unfamiliarity(*right), detector.unfamiliarity(*others)
    return Separation(
        detector.name,
        auroc(of_others, of_right),
        float((of_others > KEPT).mean()),
        float((of_right > KEPT).mean()),
    )


def auroc(positive: npt.NDArray[np.floating[Any]], negative: npt.NDArray[np.floating[Any]]) -> float:
    """The probability that one of `positive` (N,) is larger than one of `negative` (M,); ties count half.

    Source: Hanley and McNeil, "The Meaning and Use of the Area under a Receiver Operating Characteristic
    (ROC) Curve", 1982, https://doi.org/10.1148/radiology.143.1.7063747.
    """
    # Here, as every command would wait for it: it takes as long to import as a fifth of PyTorch.
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.mean() - (len(positive) + 1) / 2) / len(negative))


def to_json(separations: Sequence[Separation]) -> str:
    return json.dumps([asdict(each) for each in separations], indent=1)


def show(separations: Sequence[Separation], console: Console) -> None:
    table = Table("score", "AUROC", "others unfamiliar", "right answers unfamiliar")
    for each in separations:
        table.add_row(each.score, f"{each.auroc:.3f}", f"{each.others:.1%}", f"{each.right:.1%}")
    console.print(table)
