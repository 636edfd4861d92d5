"""A stored model: one folder, whose tensors, metadata and further files vouch for each other.

`model.safetensors` holds the tensors, and in its header under `HEADER_KEY` the metadata as JSON, with the
digests of the tensors, of all other files that belong to the model, and of the metadata themselves. So what
is changed by accident is not served. Who changes a model on purpose can write the digests anew: against that
protects only who may write to the folder. Nothing is ever unpickled.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from models import create_model
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
    "read_metadata",
    "save_artifact",
    "seal_artifact",
]

HEADER_KEY = "resnet_serve"

DIGEST_KEY = "metadata_sha256"
"""The name in that JSON of the digest of all else that is in it."""

DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


class ArtifactError(ValueError):
    """A stored model that must not be used; the message is one sentence that names the file and the field."""


@dataclass(frozen=True)
class Artifact:
    """A loaded model: float32, in eval mode, with this project's batch norm."""

    metadata: ModelMetadata
    model: nn.Module
    folder: Path


def save_artifact(
    folder: Path,
    model: nn.Module,
    description: ModelDescription,
    files: Mapping[str, bytes],
    prove: Callable[[Path], object] = lambda _: None,
) -> ModelMetadata:
    """Write `model`, its description and further `files` (name to content) into `folder`, all or nothing.

    Floating-point tensors of two or more dimensions are stored as `description.weights_dtype`; batch-norm
    scales and statistics and all biases, which are few and sensitive, stay float32. An existing folder is
    replaced as a whole, and only once `prove`, which is given the folder of the new files as they are on
    disk, has returned; what it raises leaves the old folder as it was.

    Raises `ArtifactError` if the model's tensors do not fit the description or are not finite in the stored
    type, and pydantic's `ValidationError` if a name in `files` is not a plain file name, or if the files of
    an int8 network are there without its description, or the other way round.
    """
    tensors = {
        name: tensor.detach().cpu().to(_stored_dtype(tensor, description)).contiguous()
        for name, tensor in model.state_dict().items()
    }
    _check_tensors(tensors, description, file=folder / MODEL_FILE)
    metadata = ModelMetadata(
        **{field: getattr(description, field) for field in ModelDescription.model_fields},
        tensors_sha256=_digest_tensors(tensors),
        files={name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    )
    weights = save(tensors, metadata=_header(metadata))
    _replace_folder(folder, {**files, MODEL_FILE: weights}, prove)
    return metadata


def load_artifact(folder: Path) -> Artifact:
    """Read and check the model in `folder`.

    Raises `ArtifactError` for a file that is missing, damaged or not what its digest says, for metadata with
    a missing, unknown, ill-typed or contradictory field, and for tensors that do not fit the metadata.
    """
    file = folder / MODEL_FILE
    metadata, stored = _read(file)
    _check_tensors(stored, metadata, file)
    if _digest_tensors(stored) != metadata.tensors_sha256:
        raise ArtifactError(f"{file}: the tensors do not have the digest that tensors_sha256 states")
    for name, digest in metadata.files.items():
        _check_file(folder / name, digest)

    # A network on the meta device costs no memory and no random numbers; the stored tensors become its own.
    model = _blank_model(metadata)
    model.load_state_dict(
        {name: t.float() if t.is_floating_point() else t for name, t in stored.items()}, assign=True
    )
    return Artifact(metadata, model.eval(), folder)


def seal_artifact(folder: Path) -> ModelMetadata:
    """Give the model in `folder`, stored before metadata had a digest, that digest; all else stays as it is.

    Raises `ArtifactError` for one that has a digest that is not its own, and where `load_artifact` would.
    """
    file = folder / MODEL_FILE
    metadata, tensors = _read(file, is_sealed=False)
    weights = save(tensors, metadata=_header(metadata))
    _check_tensors(tensors, metadata, file)
    if _digest_tensors(tensors) != metadata.tensors_sha256:
        raise ArtifactError(f"{file}: the tensors do not have the digest that tensors_sha256 states")
    others = {name: (folder / name).read_bytes() for name in metadata.files}
    _replace_folder(folder, {**others, MODEL_FILE: weights}, prove=load_artifact)
    return metadata


def digest_metadata(fields: Mapping[str, Any]) -> str:
    """SHA-256 over the JSON of all `fields` but the digest itself, with sorted keys and no white space."""
    covered = {name: value for name, value in fields.items() if name != DIGEST_KEY}
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _header(metadata: ModelMetadata) -> dict[str, str]:
    fields = json.loads(metadata.model_dump_json())
    return {HEADER_KEY: json.dumps({**fields, DIGEST_KEY: digest_metadata(fields)})}


def read_metadata(folder: Path) -> ModelMetadata:
    """What the model in `folder` says about itself; whether all of it is true, `load_artifact` finds out.

    Raises `ArtifactError` for a missing or damaged file, and for metadata that are not as they should be.
    """
    file = folder / MODEL_FILE
    with _opened(file) as opened:
        return _parse_metadata(opened.metadata() or {}, file)


def _blank_model(description: ModelDescription) -> nn.Module:
    with torch.device("meta"):
        return create_model(description.architecture, len(description.classes), description.in_channels)


def _stored_dtype(tensor: Tensor, description: ModelDescription) -> torch.dtype:
    if not tensor.is_floating_point():
        return tensor.dtype
    return DTYPES[description.weights_dtype] if tensor.dim() >= 2 else torch.float32


def _read(file: Path, *, is_sealed: bool = True) -> tuple[ModelMetadata, dict[str, Tensor]]:
    with _opened(file) as opened:
        metadata = _parse_metadata(opened.metadata() or {}, file, is_sealed=is_sealed)
        # Copied out of the mapped file, which may be replaced while the model is in use.
        return metadata, {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    if not file.is_file():
        raise ArtifactError(f"{file}: the file is missing")
    try:
        with safe_open(file, framework="pt") as opened:
            yield opened
    except SafetensorError as error:
        raise ArtifactError(f"{file}: not a whole safetensors file ({error})") from error


def _parse_metadata(header: Mapping[str, str], file: Path, *, is_sealed: bool = True) -> ModelMetadata:
    if HEADER_KEY not in header:
        raise ArtifactError(f"{file}: the header has no metadata under {HEADER_KEY!r}")
    try:
        fields = json.loads(header[HEADER_KEY])
    except ValueError as error:
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


def _check_tensors(tensors: Mapping[str, Tensor], description: ModelDescription, file: Path) -> None:
    expected = _blank_model(description).state_dict()
    wanted_by = (
        f"{description.architecture} with {len(description.classes)} classes "
        f"and {description.in_channels} input channels"
    )
    if missing := sorted(expected.keys() - tensors.keys()):
        raise ArtifactError(f"{file}: tensors missing for {wanted_by}: {', '.join(missing)}")
    if extra := sorted(tensors.keys() - expected.keys()):
        raise ArtifactError(f"{file}: tensors unknown to {wanted_by}: {', '.join(extra)}")
    for name, tensor in tensors.items():
        shape = tuple(expected[name].shape)
        if tuple(tensor.shape) != shape:
            raise ArtifactError(
                f"{file}: tensor {name} has shape {tuple(tensor.shape)}, {wanted_by} needs {shape}"
            )
        dtype = _stored_dtype(expected[name], description)
        if tensor.dtype != dtype:
            raise ArtifactError(
                f"{file}: tensor {name} is {tensor.dtype}, with weights_dtype {description.weights_dtype} "
                f"it must be {dtype}"
            )
        # Extremes carry any NaN, and are found many times faster than isfinite() of every value.
        lowest, highest = tensor.aminmax()
        if not (lowest.isfinite() and highest.isfinite()):
            raise ArtifactError(f"{file}: tensor {name} holds values that are not finite")


def _check_file(file: Path, digest: str) -> None:
    if not file.is_file():
        raise ArtifactError(f"{file}: the file is missing, but metadata field files lists it")
    with file.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != digest:
            raise ArtifactError(
                f"{file}: the content does not have the digest that metadata field files states"
            )


def _digest_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over every tensor's name, type, shape and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _replace_folder(folder: Path, files: Mapping[str, bytes], prove: Callable[[Path], object]) -> None:
    """Write `files` beside `folder`, then let them take its place by renaming, once `prove` has returned.

    At no time does `folder` hold a part of the files. Interrupted between the two renames, it is absent, and
    both the old and the new content lie complete beside it under names that begin with a dot.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    unique = uuid.uuid4().hex
    fresh = folder.with_name(f".{folder.name}.{unique}.new")
    replaced = folder.with_name(f".{folder.name}.{unique}.old")
    fresh.mkdir()
    try:
        for name, content in files.items():
            with (fresh / name).open("wb") as opened:
                opened.write(content)
                opened.flush()
                os.fsync(opened.fileno())
        prove(fresh)
        if folder.exists():
            folder.rename(replaced)
        try:
            fresh.rename(folder)
        except OSError:
            if replaced.exists():
                replaced.rename(folder)
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(replaced, ignore_errors=True)
