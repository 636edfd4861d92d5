from pathlib import Path

import numpy as np
import pytest

from models.artifact.detector import load_detector
from models.artifact.metadata import DETECTOR_FILE, Unfamiliarity
from models.artifact.save import save_artifact
from models.artifact.store import ArtifactError, load_artifact
from models.unfamiliarity.detector import Detector
from models.unfamiliarity.nearest_neighbours import NearestNeighbours
from tests.support.artifacts import description, save_small_artifact, small_detector, small_model

KNOWN = Unfamiliarity(score="nearest_neighbours", reference_images=40, held_out_images=40, kept=0.95)


def stored(folder: Path, known: Unfamiliarity, content: bytes) -> Path:
    about = description().model_copy(update={"unfamiliarity": known})
    save_artifact(folder, small_model(), about, {DETECTOR_FILE: content})
    return folder


def test_it_is_read_back_as_it_was_stored(tmp_path: Path) -> None:
    artifact = load_artifact(save_small_artifact(tmp_path / "1", with_detector=True))
    detector, own = load_detector(artifact, "float32"), small_detector(small_model())
    features = np.random.default_rng(0).random((5, 84), np.float32)
    logits = np.zeros((5, 10), np.float32)
    assert detector is not None
    assert np.array_equal(detector.unfamiliarity(features, logits), own.unfamiliarity(features, logits))


def test_an_artifact_without_one_has_none(tmp_path: Path) -> None:
    assert load_detector(load_artifact(save_small_artifact(tmp_path / "1")), "int8") is None


def test_one_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    bank = np.ones((3, 5), np.float32)
    other = Detector(
        "nearest_neighbours", NearestNeighbours(bank, np.ones(1, np.float32)), np.zeros(96, np.float32)
    )
    for number, (known, content, message) in enumerate(
        (
            (KNOWN, other.to_bytes(), "does not fit 84 features and 10 classes"),
            (KNOWN, b"nothing", "not readable"),
            (KNOWN.model_copy(update={"kept": 0.9}), other.to_bytes(), "kept must be 0.95, got 0.9"),
        )
    ):
        artifact = load_artifact(stored(tmp_path / str(number), known, content))
        with pytest.raises(ArtifactError, match=message):
            load_detector(artifact, "float32")


def test_a_detector_and_its_description_belong_together(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unfamiliarity is described, but files does not list"):
        save_artifact(
            tmp_path / "1", small_model(), description().model_copy(update={"unfamiliarity": KNOWN}), {}
        )
    with pytest.raises(ValueError, match=r"files lists unfamiliarity\.safetensors, but"):
        save_artifact(tmp_path / "1", small_model(), description(), {DETECTOR_FILE: b"x"})
    with pytest.raises(ValueError, match="unknown score 'crystal_ball': choose from"):
        Unfamiliarity.model_validate({**KNOWN.model_dump(), "score": "crystal_ball"})
