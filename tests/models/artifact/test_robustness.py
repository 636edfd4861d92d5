from pathlib import Path

import pytest

from models.artifact.amend import amend_artifact
from models.artifact.robustness import FILE_NAME, Condition, Figures, Robustness, load_robustness
from models.artifact.store import ArtifactError, load_artifact, read_metadata
from tests.support.artifacts import save_small_artifact
from tests.support.robustness import made_up


def test_it_is_listed_and_read_back_as_it_was_stored(tmp_path: Path) -> None:
    save_small_artifact(tmp_path / "1")
    metadata = read_metadata(tmp_path / "1")
    assert load_robustness(tmp_path / "1", metadata) is None
    stored = made_up(metadata)
    amend_artifact(tmp_path / "1", {FILE_NAME: stored.model_dump_json().encode()})
    amended = load_artifact(tmp_path / "1").metadata
    assert FILE_NAME in amended.files
    assert load_robustness(tmp_path / "1", amended) == stored


def test_a_file_that_the_artifact_does_not_list_is_not_read(tmp_path: Path) -> None:
    save_small_artifact(tmp_path / "1")
    (tmp_path / "1" / FILE_NAME).write_text("no JSON")
    assert load_robustness(tmp_path / "1", read_metadata(tmp_path / "1")) is None


@pytest.mark.parametrize("content", [b"no JSON", b"{}"])
def test_one_that_cannot_be_read_is_refused_by_its_path(tmp_path: Path, content: bytes) -> None:
    save_small_artifact(tmp_path / "1", files={FILE_NAME: content})
    with pytest.raises(ArtifactError, match=r"robustness\.json cannot be read"):
        load_robustness(tmp_path / "1", read_metadata(tmp_path / "1"))


def test_that_of_other_weights_is_refused(tmp_path: Path) -> None:
    save_small_artifact(tmp_path / "1")
    other = made_up(read_metadata(tmp_path / "1")).model_copy(update={"tensors_sha256": "0" * 64})
    save_small_artifact(tmp_path / "2", files={FILE_NAME: other.model_dump_json().encode()})
    with pytest.raises(ArtifactError, match="tensors_sha256 is of other weights"):
        load_robustness(tmp_path / "2", read_metadata(tmp_path / "2"))


def test_every_field_is_described() -> None:
    for model in (Robustness, Condition, Figures):
        assert all(field.description for field in model.model_fields.values())
