"""The detector of unfamiliar images that a stored model brings."""

import numpy as np

from models.artifact.metadata import DETECTOR_FILE, INT8_DETECTOR_FILE
from models.artifact.store import Artifact, ArtifactError
from models.unfamiliarity.detector import KEPT, Detector, DetectorError


def load_detector(artifact: Artifact, precision: str) -> Detector | None:
    """The detector for the network that computes in `precision`, None where the model brings none.

    Raises `ArtifactError` for one that is damaged, keeps another share of known images than this code does,
    or does not fit the network.
    """
    about = artifact.metadata.unfamiliarity
    if about is None:
        return None
    file = artifact.folder / (INT8_DETECTOR_FILE if precision == "int8" else DETECTOR_FILE)
    if about.kept != KEPT:
        raise ArtifactError(f"{file}: unfamiliarity.kept must be {KEPT}, got {about.kept}")
    dimensions, classes = artifact.facts.features or 0, len(artifact.metadata.classes)
    try:
        detector = Detector.from_bytes(file.read_bytes(), about.score)
        detector.unfamiliarity(np.zeros((1, dimensions), np.float32), np.zeros((1, classes), np.float32))
    except DetectorError as error:
        raise ArtifactError(f"{file}: {error}") from error
    except (ValueError, IndexError) as error:
        raise ArtifactError(
            f"{file}: the detector does not fit {dimensions} features and {classes} classes ({error})"
        ) from error
    return detector
