"""A stored model: one folder, whose tensors, metadata and further files vouch for each other.

`model.safetensors` holds the tensors, and in its header under `HEADER_KEY` the metadata as JSON, with the
digests of the tensors, of all other files that belong to the model, and of the metadata themselves. So what
is changed by accident is not served. Who changes a model on purpose can write the digests anew: against that
protects only who may write to the folder. Nothing is ever unpickled.

Reading and proving all that takes no PyTorch, which only the network itself needs. `models.artifact.save`
writes artifacts.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from models.artifact.facts import FILE_NAME as FACTS_FILE
from models.artifact.facts import ModelFacts
from models.artifact.metadata import (
    INT8_NETWORK_FILE,
    INT8_WEIGHTS_FILE,
    MODEL_FILE,
    SCHEMA_VERSION,
    Dataset,
    Int8,
    ModelDescription,
    ModelMetadata,
    ModelMetrics,
)
from models.artifact.tensors import StoredTensor, digest_tensors, read_tensors

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "DIGEST_KEY",
    "HEADER_KEY",
    "INT8_NETWORK_FILE",
    "INT8_WEIGHTS_FILE",
    "MODEL_FILE",
    "Artifact",
    "ArtifactError",
    "Dataset",
    "Int8",
    "ModelDescription",
    "ModelMetadata",
    "ModelMetrics",
    "digest_metadata",
    "load_artifact",
    "read_artifact",
    "read_metadata",
]

HEADER_KEY = "resnet_serve"

DIGEST_KEY = "metadata_sha256"
"""The name in that JSON of the digest of all else that is in it."""


class ArtifactError(ValueError):
    """A stored model that must not be used; the message is one sentence that names the file and the field."""


@dataclass(frozen=True)
class Artifact:
    """What a folder holds, read once: it may go afterwards, but for the files of an engine."""

    metadata: ModelMetadata
    tensors: Mapping[str, StoredTensor]
    folder: Path

    @cached_property
    def model(self) -> "nn.Module":
        """The network: float32, in eval mode, with this project's batch norm. It needs PyTorch.

        Raises `ArtifactError` for tensors that do not fit the metadata.
        """
        from models.artifact.build import build_network

        return build_network(self.tensors, self.metadata, self.folder / MODEL_FILE)

    @cached_property
    def facts(self) -> ModelFacts:
        """What `FACTS_FILE` tells; where an older artifact has none, the network itself does.

        Raises `ArtifactError`, and `ValueError` for a network that cannot take the images it is meant for.
        """
        if FACTS_FILE not in self.metadata.files:
            from models.artifact.build import describe_model

            return describe_model(self.model, self.metadata)
        file = self.folder / FACTS_FILE
        try:
            return ModelFacts.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise ArtifactError(f"{file} cannot be read: {error}") from error


def load_artifact(folder: Path) -> Artifact:
    """As `read_artifact`, and its network is built, which proves that the tensors fit the metadata too."""
    artifact = read_artifact(folder)
    artifact.model  # noqa: B018 - it is kept
    return artifact


def read_artifact(folder: Path) -> Artifact:
    """Read and check the model in `folder`; its network is built when it is first asked for.

    Raises `ArtifactError` for a file that is missing, damaged or not what its digest says, for metadata with
    a missing, unknown, ill-typed or contradictory field, and for values that are not finite.
    """
    file = folder / MODEL_FILE
    metadata, tensors = read_stored(file)
    for name, tensor in tensors.items():
        if not np.isfinite(tensor.values()).all():
            raise ArtifactError(f"{file}: tensor {name} holds values that are not finite")
    require_digest(tensors, metadata, file)
    for name, digest in metadata.files.items():
        _check_file(folder / name, digest)
    return Artifact(metadata, tensors, folder)


def require_digest(tensors: Mapping[str, StoredTensor], metadata: ModelMetadata, file: Path) -> None:
    """Raise `ArtifactError` where `tensors` are others than `metadata` were written for."""
    if digest_tensors(tensors) != metadata.tensors_sha256:
        raise ArtifactError(f"{file}: the tensors do not have the digest that tensors_sha256 states")


def digest_metadata(fields: Mapping[str, Any]) -> str:
    """SHA-256 over the JSON of all `fields` but the digest itself, with sorted keys and no white space."""
    covered = {name: value for name, value in fields.items() if name != DIGEST_KEY}
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def read_metadata(folder: Path) -> ModelMetadata:
    """What the model in `folder` says about itself; whether all of it is true, `load_artifact` finds out.

    Raises `ArtifactError` for a missing or damaged file, and for metadata that are not as they should be.
    """
    file = folder / MODEL_FILE
    with _opened(file) as opened:
        return _parse_metadata(opened.metadata() or {}, file)


def read_stored(file: Path, *, is_sealed: bool = True) -> tuple[ModelMetadata, dict[str, StoredTensor]]:
    """The metadata and the tensors of `file`, of which nothing is compared with the other.

    Raises what `read_metadata` raises; the digest of the metadata may be missing where not `is_sealed`.
    """
    with _opened(file) as opened:
        return _parse_metadata(opened.metadata() or {}, file, is_sealed=is_sealed), read_tensors(file)


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    if not file.is_file():
        raise ArtifactError(f"{file}: the file is missing")
    try:
        with safe_open(file, framework="np") as opened:
            yield opened
    except SafetensorError as error:
        raise ArtifactError(f"{file}: not a whole safetensors file ({error})") from error


def _parse_metadata(header: Mapping[str, str], file: Path, *, is_sealed: bool = True) -> ModelMetadata:
    if HEADER_KEY not in header:
        raise ArtifactError(f"{file}: the header has no metadata under {HEADER_KEY!r}")
    try:
        fields = json.loads(header[HEADER_KEY])
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{file}: the metadata is not JSON ({error})") from error
    if not isinstance(fields, dict):
        raise ArtifactError(f"{file}: the metadata must be a JSON object, got {type(fields).__name__}")
    # Told first: under another schema all other complaints would mislead.
    version = fields.get("schema_version", SCHEMA_VERSION)
    # True equals 1, but is no version.
    if type(version) is not int or version != SCHEMA_VERSION:
        raise ArtifactError(
            f"{file}: metadata field schema_version is {version!r}, only {SCHEMA_VERSION} can be read"
        )
    stated = fields.pop(DIGEST_KEY, None)
    try:
        metadata = ModelMetadata.model_validate_json(json.dumps(fields))
    except ValidationError as error:
        raise ArtifactError(f"{file}: {_sentence(error)}") from error
    except RecursionError as error:  # to write JSON may take more depth than to read it
        raise ArtifactError(f"{file}: the metadata is not JSON ({error})") from error
    if stated is None and is_sealed:
        raise ArtifactError(
            f"{file}: metadata field {DIGEST_KEY} is missing; `python -m models seal {file.parent}` adds it"
        )
    if stated is not None and stated != digest_metadata(fields):
        raise ArtifactError(f"{file}: the metadata do not have the digest that {DIGEST_KEY} states")
    return metadata


def _sentence(error: ValidationError) -> str:
    complaints = []
    for detail in error.errors(include_url=False):
        field = ".".join(str(part) for part in detail["loc"])
        if detail["type"] == "missing":
            complaints.append(f"metadata field {field} is missing")
        elif detail["type"] == "extra_forbidden":
            complaints.append(f"metadata field {field} is unknown")
        else:
            message = detail["msg"].removeprefix("Value error, ")
            complaints.append(f"metadata field {field}: {message}" if field else f"metadata: {message}")
    return "; ".join(complaints)


def _check_file(file: Path, digest: str) -> None:
    if not file.is_file():
        raise ArtifactError(f"{file}: the file is missing, but metadata field files lists it")
    with file.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != digest:
            raise ArtifactError(
                f"{file}: the content does not have the digest that metadata field files states"
            )
