"""How well each score of unfamiliarity tells test images that a network gets right from other pictures."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import rankdata
from torch import Tensor, nn

from models.artifact.store import Artifact, ArtifactError
from models.preprocessing.decode import decode
from models.preprocessing.image_error import ImageError
from models.preprocessing.transform import Preprocessing
from models.unfamiliarity import SCORES, Reference
from models.unfamiliarity.base import Floats
from models.unfamiliarity.detector import KEPT, Detector
from training.data.cifar10 import DataError, ImageData
from training.data.image_folder import MAX_PIXELS

REFERENCE_IMAGES = 10_000
"""Training images that a score is fitted to, drawn at random."""
BATCH_SIZE = 250
SEED = 0


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


def read_pictures(folder: Path, preprocessing: Preprocessing) -> tuple[Tensor, list[Path]]:
    """All images below `folder`, uint8 (N, C, S, S) as the service makes them, and the files that are none.

    Raises `DataError` where there is no image.
    """
    images, left_out = [], []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            decoded = decode(path.read_bytes(), MAX_PIXELS, preprocessing.input_size)
        except (ImageError, OSError):
            left_out.append(path)
        else:
            images.append(preprocessing.resize(decoded.image, decoded.box))
    if not images:
        raise DataError(f"{folder}: there is no image below it")
    return torch.stack(images), left_out


@torch.inference_mode()
def features_and_logits(
    model: nn.Module, images: Tensor, preprocessing: Preprocessing
) -> tuple[Floats, Floats]:
    """What the last linear layer of `model` takes (N, D), and what it gives (N, K), of uint8 `images`."""
    classifier = last_layer(model)
    features: list[Tensor] = []
    hook = classifier.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0].float().cpu()))
    try:
        logits = [
            model(preprocessing.normalize(batch)).float().cpu() for batch in torch.split(images, BATCH_SIZE)
        ]
    finally:
        hook.remove()
    return torch.cat(features).numpy(), torch.cat(logits).numpy()


def last_layer(model: nn.Module) -> nn.Linear:
    """Raises `ArtifactError` for a network that has no linear layer."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        raise ArtifactError(f"{type(model).__name__} has no linear layer, whose inputs are the features")
    return layers[-1]


def measure_separation(artifact: Artifact, data: ImageData, others: Tensor) -> list[Separation]:
    """Every score of `SCORES`: fitted to training images, its threshold set on the validation images.

    `others` is uint8 (N, C, S, S), and so are the images of `data`. Raises `ValueError` where `data` has no
    validation images.
    """
    if not len(data.held_out):
        raise ValueError("held_out must be at least 1: the threshold is set on validation images")
    model, preprocessing = artifact.model, Preprocessing.from_metadata(artifact.metadata)
    classifier = last_layer(model)
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(SEED))
    chosen = order[:REFERENCE_IMAGES].sort().values
    features, logits = features_and_logits(model, data.train.images[chosen], preprocessing)
    bias = classifier.bias if classifier.bias is not None else torch.zeros(classifier.out_features)
    reference = Reference(
        features,
        logits,
        data.train.labels[chosen].numpy(),
        classifier.weight.detach().numpy(),
        bias.detach().numpy(),
    )
    validation, test, other = (
        features_and_logits(model, images, preprocessing)
        for images in (data.held_out.images, data.test.images, others)
    )
    is_right = test[1].argmax(1) == data.test.labels.numpy()
    right = test[0][is_right], test[1][is_right]
    separations = []
    for name in SCORES:
        detector = Detector.fit(name, reference, *validation)
        of_right, of_others = detector.unfamiliarity(*right), detector.unfamiliarity(*other)
        separations.append(
            Separation(
                name,
                auroc(of_others, of_right),
                float((of_others > KEPT).mean()),
                float((of_right > KEPT).mean()),
            )
        )
    return separations


def auroc(positive: npt.NDArray[np.floating[Any]], negative: npt.NDArray[np.floating[Any]]) -> float:
    """The probability that one of `positive` (N,) is larger than one of `negative` (M,); ties count half.

    Source: Hanley and McNeil, "The Meaning and Use of the Area under a Receiver Operating Characteristic
    (ROC) Curve", 1982, https://doi.org/10.1148/radiology.143.1.7063747.
    """
    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return float((ranks.mean() - (len(positive) + 1) / 2) / len(negative))


def to_json(separations: Sequence[Separation]) -> str:
    return json.dumps([asdict(each) for each in separations], indent=1)


def show(separations: Sequence[Separation], console: Console) -> None:
    table = Table("score", "AUROC", "others unfamiliar", "right answers unfamiliar")
    for each in separations:
        table.add_row(each.score, f"{each.auroc:.3f}", f"{each.others:.1%}", f"{each.right:.1%}")
    console.print(table)
