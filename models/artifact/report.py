"""What report.json of an artifact holds of the run and of its test: training writes it, the API passes it on.

Each record is a frozen dataclass that pydantic checks.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from models.artifact.metadata import MOST_CLASSES
from models.artifact.store import ArtifactError

FILE_NAME = "report.json"


@dataclass(frozen=True)
class EpochRecord:
    """What one epoch showed. Losses are mean cross-entropies in nats, accuracies are in 0..1."""

    epoch: int
    image_size: Annotated[int, Field(description="Side in pixels of the images it was trained on.")]
    learning_rate: float
    train_loss: float
    train_accuracy: float
    watched_loss: Annotated[
        float, Field(description="On the validation set, on the test set where there is none.")
    ]
    watched_accuracy: float
    images_per_second: float
    seconds: float


def full_confusion(stored: object) -> object:
    """The rows of numbers that stored rows stand for, each an object without the zeros.

    What is no list of such rows is left as it is: artifacts that were exported before hold the numbers.
    """
    if not isinstance(stored, list) or not stored or not all(isinstance(row, dict) for row in stored):
        return stored
    if len(stored) > MOST_CLASSES:
        raise ValueError(f"confusion must have at most {MOST_CLASSES:,} rows, got {len(stored):,}")
    places = {str(number): number for number in range(len(stored))}
    rows = []
    for number, counts in enumerate(stored):
        if unknown := [name for name in counts if name not in places]:
            raise ValueError(f"confusion: row {number} must name its classes by number, got {unknown[0]!r}")
        row = [0] * len(stored)
        for name, count in counts.items():
            row[places[name]] = count
        rows.append(row)
    return rows


@dataclass(frozen=True)
class Evaluation:
    """On the test set, of the stored weights in float32; shares, confidences and errors are in 0..1."""

    images: int
    accuracy: float
    negative_log_likelihood: Annotated[float, Field(description="The mean in nats.")]
    expected_calibration_error: float
    per_class_accuracy: dict[str, float]
    confusion: Annotated[
        list[list[int]],
        BeforeValidator(full_confusion),
        Field(description="Row i, column j: how many images of class i were taken for class j."),
    ]
    bin_confidence: Annotated[
        list[float],
        Field(
            description="The mean of the highest probability in each of its equal bins; 0 in an empty one."
        ),
    ]
    bin_accuracy: Annotated[list[float], Field(description="The share of the bin's images that were right.")]
    bin_share: Annotated[list[float], Field(description="The bin's share of all images.")]


@dataclass(frozen=True)
class Mistake:
    """One of the test images that the model was most sure about, and wrong."""

    number: Annotated[int, Field(description="Of the image in the test set, from 0.")]
    true_class: str
    answer: str
    probability: Annotated[float, Field(description="Of the answer; calibrated, 0..1.")]
    true_probability: Annotated[float, Field(description="Of the true class; calibrated, 0..1.")]
    picture: Annotated[str, Field(description="The image as PNG, in Base64.")]


@dataclass(frozen=True)
class AugmentationSample:
    """A training image and what it may look like in successive epochs, each as PNG in Base64."""

    true_class: str
    original: str
    augmented: list[str]


@dataclass(frozen=True)
class TrainingReport:
    """The run's epochs and the figures on the test set: what the API passes on."""

    history: Annotated[list[EpochRecord], Field(description="Of training, the first epoch first.")]
    evaluation: Evaluation
    mistakes: Annotated[
        list[Mistake] | None, Field(description="The worst ones first; null where the artifact has none.")
    ] = None


@dataclass(frozen=True)
class StoredReport(TrainingReport):
    """All that report.json holds: enough to write card and page without the data set.

    Artifacts that were exported before there were mistakes or samples have None.
    """

    augmentation: list[AugmentationSample] | None = None

    def to_json(self) -> bytes:
        """Without the zeros of the confusion: those of 2,000 classes, a line each, would take 28 MB."""
        values = asdict(replace(self, evaluation=replace(self.evaluation, confusion=[])))
        values["evaluation"]["confusion"] = [
            {str(answer): count for answer, count in enumerate(row) if count}
            for row in self.evaluation.confusion
        ]
        return json.dumps(values, indent=1).encode()


def parse_report(content: bytes) -> TrainingReport:
    """The part of a report.json that the API passes on. Raises pydantic's `ValidationError`."""
    return TypeAdapter(TrainingReport).validate_json(content)


def load_report(folder: Path) -> StoredReport:
    """Read report.json of an artifact. Raises `ArtifactError`."""
    try:
        return TypeAdapter(StoredReport).validate_json((folder / FILE_NAME).read_bytes(), strict=True)
    except (OSError, ValidationError) as error:
        raise ArtifactError(f"{folder / FILE_NAME} cannot be read: {error}") from error
