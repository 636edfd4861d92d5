"""An artifact measured on the test set of its data, by any engine."""

import json
from dataclasses import asdict, dataclass

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from torch import Tensor

from models.artifact.report import Evaluation
from models.artifact.store import Artifact, ArtifactError, ModelMetadata
from models.preprocessing.transform import Preprocessing
from training.data.cifar10 import ImageData
from training.evaluation.engines import ENGINE_CHOICES, engine_logits, load_engine
from training.evaluation.evaluate import evaluate

OTHER_DATA = "the data set is not the one that the artifact was trained on"


@dataclass(frozen=True)
class Measured:
    """An artifact's answers on the test set: `logits` (N, classes) and `labels` (N,), both on the CPU.

    `same_data` tells whether the data set is, by its digest, the one that the artifact was trained on.
    """

    artifact: Artifact
    engine: str
    logits: Tensor
    labels: Tensor
    same_data: bool
    evaluation: Evaluation

    def to_json(self) -> str:
        metadata = self.artifact.metadata
        values = {
            "name": metadata.name,
            "version": metadata.version,
            "engine": self.engine,
            "same_data": self.same_data,
            "temperature": metadata.temperature_of(ENGINE_CHOICES[self.engine][1]),
            **asdict(self.evaluation),
        }
        return json.dumps(values, indent=1)

    def show(self, console: Console) -> None:
        evaluation = self.evaluation
        console.print(
            f"accuracy {evaluation.accuracy:.2%} on {evaluation.images:,} test images, {self.engine}"
        )
        console.print(f"negative log-likelihood {evaluation.negative_log_likelihood:.4f} nats")
        console.print(f"expected calibration error {evaluation.expected_calibration_error:.4f}")
        for name, value in evaluation.per_class_accuracy.items():
            console.print(f"  {name:12} {value:.2%}", markup=False)
        if not self.same_data:
            console.print(OTHER_DATA)


def as_served(images: Tensor, preprocessing: Preprocessing) -> Tensor:
    """Uint8 `images` (N, C, H, W) as uint8 (N, in_channels, S, S), exactly as the service makes them.

    Images that have the right size and channels are returned as they are.
    """
    size = preprocessing.input_size
    if images.shape[1:] == (preprocessing.in_channels, size, size):
        return images
    squares = []
    for pixels in images.permute(0, 2, 3, 1).cpu().numpy():
        image = Image.fromarray(pixels[:, :, 0] if images.shape[1] == 1 else pixels)
        squares.append(preprocessing.resize(image))
    return torch.from_numpy(np.stack(squares)).to(images.device)


def require_classes(metadata: ModelMetadata, data: ImageData) -> None:
    """Raises `ArtifactError` where the artifact's classes are not the data set's."""
    if metadata.classes != data.classes:
        raise ArtifactError(f"classes: the artifact knows {metadata.classes}, the data set {data.classes}")


def require_own_data(metadata: ModelMetadata, data: ImageData) -> None:
    """Raises `ArtifactError` where `data` is not what the artifact was trained on."""
    require_classes(metadata, data)
    if metadata.dataset.sha256 != data.sha256:
        raise ArtifactError(
            f"--data: must be what {metadata.name} {metadata.version} was trained on, "
            f"{metadata.dataset.name}, and is another data set"
        )


def note_other_data(metadata: ModelMetadata, data: ImageData, console: Console) -> None:
    """Say so where `data` is not what the artifact was trained on."""
    if metadata.dataset.sha256 != data.sha256:
        console.print(OTHER_DATA)


def measure(artifact: Artifact, engine: str, data: ImageData, device: torch.device) -> Measured:
    """Run the test images of `data` through `artifact`; `engine` is a key of `ENGINE_CHOICES`.

    Raises `ArtifactError` where the artifact's classes are not the data set's, and `EngineError` where the
    engine cannot compute it.
    """
    metadata = artifact.metadata
    require_classes(metadata, data)
    preprocessing = Preprocessing.from_metadata(metadata)
    images = as_served(data.test.images, preprocessing)
    logits = engine_logits(load_engine(artifact, engine, device), images)
    labels = data.test.labels.cpu()
    temperature = metadata.temperature_of(ENGINE_CHOICES[engine][1])
    return Measured(
        artifact=artifact,
        engine=engine,
        logits=logits,
        labels=labels,
        same_data=metadata.dataset.sha256 == data.sha256,
        evaluation=evaluate(logits, labels, data.classes, temperature),
    )
