"""What report.json of an artifact holds: enough to write its card and its page without the data set."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from models.artifact.store import ArtifactError
from training.evaluation.evaluate import Evaluation
from training.loop.checkpoint import EpochRecord
from training.report.augmentation_samples import AugmentationSample
from training.report.mistakes import Mistake

FILE_NAME = "report.json"


@dataclass(frozen=True)
class Report:
    """The run's epochs, the figures on the test set, and what the images of the data set show.

    The last two are None in artifacts that were exported before there were any.
    """

    history: list[EpochRecord]
    evaluation: Evaluation
    mistakes: list[Mistake] | None = None
    augmentation: list[AugmentationSample] | None = None

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1).encode()


def load_report(folder: Path) -> Report:
    """Read report.json of an artifact. Raises `ArtifactError`."""
    try:
        return TypeAdapter(Report).validate_json((folder / FILE_NAME).read_bytes(), strict=True)
    except (OSError, ValidationError) as error:
        raise ArtifactError(f"{folder / FILE_NAME} cannot be read: {error}") from error
