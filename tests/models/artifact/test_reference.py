"""The reference of an artifact: measured, stored, added to one that is there, and read back."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.artifact.amend import amend_artifact
from models.artifact.reference import FILE_NAME, Reference, Spread, load_reference, measure_reference
from models.artifact.store import MODEL_FILE, ArtifactError, load_artifact, read_metadata
from tests.support.artifacts import CLASSES, save_small_artifact


def measured() -> Reference:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (40, 3, 32, 32), np.uint8)
    logits = generator.standard_normal((40, len(CLASSES)), np.float32)
    return measure_reference(images, logits, CLASSES, 1.5)


def test_shares_are_counted_in_bins_up_to_their_edge() -> None:
    spread = Spread.of([0.0, 0.1, 0.10001, 0.5, 2.0], (0.1, 0.5))
    assert spread.shares == (0.4, 0.4, 0.2)


def test_a_reference_is_of_the_calibrated_answers() -> None:
    images = np.full((4, 3, 8, 8), 50, np.uint8)
    logits = np.array([[10, 0], [10, 0], [10, 0], [0, 1]], np.float32)
    reference = measure_reference(images, logits, ("cat", "dog"), 2.0)
    assert reference.images == 4
    assert reference.classes == {"cat": 0.75, "dog": 0.25}
    # softmax(10 / 2) = 0.9933 and softmax(1 / 2) = 0.6225.
    assert reference.confidence.shares == (0, 0, 0, 0.25, 0, 0, 0, 0, 0, 0.75)
    assert reference.brightness.shares[1] == 1  # of 0.1 to 0.2: 50 / 255
    assert reference.sharpness.shares[0] == 1


@pytest.mark.parametrize(
    ("shares", "edges", "words"),
    [((1.0,), (0.5,), "one more than edges"), ((0.5, 0.5, 0), (0.5, 0.5), "must rise")],
)
def test_a_spread_that_does_not_fit_is_refused(
    shares: tuple[float, ...], edges: tuple[float, ...], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Spread(edges=edges, shares=shares)


def test_a_reference_is_added_to_an_artifact_that_is_there(tmp_path: Path) -> None:
    folder = save_small_artifact(tmp_path / "lenet" / "1")
    (folder / "robustness.json").write_text("{}")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    stated = read_metadata(folder)
    amend_artifact(folder, {FILE_NAME: measured().to_json()})
    assert load_reference(folder, CLASSES) == measured()
    artifact = load_artifact(folder)
    assert artifact.metadata.files.keys() == {*stated.files, FILE_NAME}
    assert artifact.metadata == stated.model_copy(update={"files": artifact.metadata.files})
    after = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert {name for name in after if before.get(name) != after[name]} == {FILE_NAME, MODEL_FILE}
    assert before.keys() <= after.keys()


def test_another_one_takes_its_place(tmp_path: Path) -> None:
    folder = save_small_artifact(tmp_path / "lenet" / "1", files={FILE_NAME: b"other"})
    amend_artifact(folder, {FILE_NAME: measured().to_json()})
    assert load_reference(folder, CLASSES) == measured()
    load_artifact(folder)


def test_a_damaged_artifact_is_not_amended(tmp_path: Path) -> None:
    folder = save_small_artifact(tmp_path / "lenet" / "1", files={"note.txt": b"one"})
    (folder / "note.txt").write_bytes(b"two")
    with pytest.raises(ArtifactError, match=r"note\.txt"):
        amend_artifact(folder, {FILE_NAME: measured().to_json()})
    assert not (folder / FILE_NAME).exists()


def test_a_reference_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"reference\.json cannot be read"):
        load_reference(tmp_path, CLASSES)
    fields = json.loads(measured().to_json())
    (tmp_path / FILE_NAME).write_text(json.dumps({**fields, "images": 0}))
    with pytest.raises(ArtifactError, match="images"):
        load_reference(tmp_path, CLASSES)
    (tmp_path / FILE_NAME).write_bytes(measured().to_json())
    with pytest.raises(ArtifactError, match="classes must be those of the artifact"):
        load_reference(tmp_path, ("cat", "dog"))
