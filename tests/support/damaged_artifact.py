"""A stored model to damage, and what its load then says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.artifact.store import (
    DIGEST_KEY,
    HEADER_KEY,
    MODEL_FILE,
    ArtifactError,
    digest_metadata,
    load_artifact,
)
from models.artifact.tensors import digest_tensors, read_tensors
from tests.support.small_model import INT8_FILES

FILES = {"card.md": b"# A small model\n", "report.json": b"{}", **INT8_FILES}


def change(
    folder: Path,
    edit: Callable[[dict[str, Any], dict[str, Tensor]], object],
    *,
    is_sealed: bool = True,
    is_digested: bool = False,
) -> None:
    """Rewrite the stored metadata and tensors after `edit`, which changes them in place.

    With `is_sealed` the metadata get the digest that fits, so that only other contradictions are left, and
    with `is_digested` they state the digest of the tensors that are there.
    """
    file = folder / MODEL_FILE
    with safe_open(file, framework="pt") as opened:
        metadata = json.loads(opened.metadata()[HEADER_KEY])
    tensors = {name: tensor.clone() for name, tensor in load_file(file).items()}
    edit(metadata, tensors)
    if is_digested:
        save_file(tensors, file)
        metadata["tensors_sha256"] = digest_tensors(read_tensors(file))
    if is_sealed:
        metadata[DIGEST_KEY] = digest_metadata(metadata)
    save_file(tensors, file, metadata={HEADER_KEY: json.dumps(metadata)})


def refusal(folder: Path) -> str:
    """The one sentence with which the load is refused, without the folder's name."""
    with pytest.raises(ArtifactError) as refused:
        load_artifact(folder)
    message = str(refused.value)
    assert "\n" not in message
    return message.removeprefix(f"{folder}/")
