"""The facts of a stored model: those of its network, whoever tells them."""

import hashlib
import json
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from models.artifact.build import describe_model
from models.artifact.facts import FILE_NAME, ModelFacts
from models.artifact.metadata import FLOAT32_NETWORK_FILE, FLOAT32_WEIGHTS_FILE
from models.artifact.save import save_artifact, seal_artifact
from models.artifact.store import (
    DIGEST_KEY,
    HEADER_KEY,
    MODEL_FILE,
    ArtifactError,
    digest_metadata,
    load_artifact,
    read_artifact,
)
from tests.support.small_model import DESCRIPTION, lenet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "small" / "1"
    save_artifact(folder, lenet(), DESCRIPTION, {"card.md": b"# A small model\n"})
    return folder


def put_facts(folder: Path, content: bytes | None) -> None:
    """Have the model in `folder` state these facts, or none, as an older artifact does."""
    file = folder / MODEL_FILE
    with safe_open(file, framework="pt") as opened:
        metadata = json.loads(opened.metadata()[HEADER_KEY])
    if content is None:
        del metadata["files"][FILE_NAME]
        (folder / FILE_NAME).unlink()
    else:
        metadata["files"][FILE_NAME] = hashlib.sha256(content).hexdigest()
        (folder / FILE_NAME).write_bytes(content)
    metadata[DIGEST_KEY] = digest_metadata(metadata)
    save_file(load_file(file), file, metadata={HEADER_KEY: json.dumps(metadata)})


def test_every_saved_artifact_states_the_facts_of_its_network(folder: Path) -> None:
    artifact = read_artifact(folder)
    assert artifact.metadata.files.keys() == {"card.md", FILE_NAME}
    expected = describe_model(lenet(), DESCRIPTION)
    assert ModelFacts.model_validate_json((folder / FILE_NAME).read_bytes()) == expected
    assert artifact.facts == expected


def test_they_are_read_without_the_network(folder: Path) -> None:
    artifact = read_artifact(folder)
    assert artifact.facts.features
    assert "model" not in vars(artifact)


def test_an_artifact_without_them_has_the_same_from_its_network(folder: Path) -> None:
    stated = read_artifact(folder).facts
    put_facts(folder, None)
    older = read_artifact(folder)
    assert older.metadata.files.keys() == {"card.md"}
    assert older.facts == stated


def test_sealing_adds_them(folder: Path) -> None:
    content = (folder / FILE_NAME).read_bytes()
    put_facts(folder, None)
    before = load_artifact(folder).metadata
    sealed = seal_artifact(folder)
    assert (folder / FILE_NAME).read_bytes() == content
    assert load_artifact(folder).metadata == sealed
    assert sealed == before.model_copy(update={"files": sealed.files})
    assert sealed.files.keys() == {"card.md", FILE_NAME, FLOAT32_NETWORK_FILE, FLOAT32_WEIGHTS_FILE}


def test_changed_facts_are_refused(folder: Path) -> None:
    file = folder / FILE_NAME
    file.write_bytes(file.read_bytes().replace(b"true", b"false") + b" ")
    with pytest.raises(ArtifactError, match=r"facts\.json: the content does not have the digest"):
        read_artifact(folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"layers": [], "batch_norms": [], "features": "many"}', b"\xff"],
)
def test_facts_that_cannot_be_read_are_refused(folder: Path, content: bytes) -> None:
    put_facts(folder, content)
    with pytest.raises(ArtifactError, match=r"facts\.json cannot be read"):
        _ = read_artifact(folder).facts


def test_unknown_facts_are_refused(folder: Path) -> None:
    facts = json.loads((folder / FILE_NAME).read_bytes())
    put_facts(folder, json.dumps({**facts, "other": 1}).encode())
    with pytest.raises(ArtifactError, match=r"facts\.json cannot be read"):
        _ = read_artifact(folder).facts


def test_facts_come_back_from_json_as_they_were() -> None:
    facts = describe_model(lenet(), DESCRIPTION)
    assert ModelFacts.model_validate_json(facts.to_json()) == facts
