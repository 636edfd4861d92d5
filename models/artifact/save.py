"""Write a stored model, all or nothing: see `models.artifact.store` for what it is."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from models.artifact.build import build_network, describe_model, stored_type
from models.artifact.facts import FILE_NAME as FACTS_FILE
from models.artifact.metadata import (
    FLOAT32_NETWORK_FILE,
    INT8_NETWORK_FILE,
    MODEL_FILE,
    ModelDescription,
    ModelMetadata,
)
from models.artifact.store import (
    DIGEST_KEY,
    HEADER_KEY,
    ArtifactError,
    digest_metadata,
    load_artifact,
    read_stored,
    require_digest,
)
from models.artifact.tensors import StoredTensor, digest_tensors
from models.engines.conversion import float32_network
from models.preprocessing.transform import Preprocessing


def save_artifact(
    folder: Path,
    model: nn.Module,
    description: ModelDescription,
    files: Mapping[str, bytes],
    prove: Callable[[Path], object] = lambda _: None,
) -> ModelMetadata:
    """Write `model`, its description and further `files` (name to content) into `folder`, all or nothing.

    The facts of `models.artifact.facts` are written too.

    Floating-point tensors of two or more dimensions are stored as `description.weights_dtype`; batch-norm
    scales and statistics and all biases, which are few and sensitive, stay float32. An existing folder is
    replaced as a whole, and only once `prove`, which is given the folder of the new files as they are on
    disk, has returned; what it raises leaves the old folder as it was.

    Raises `ArtifactError` if the model's tensors do not fit the description or are not finite in the stored
    type, and pydantic's `ValidationError` if a name in `files` is not a plain file name, or if the files of
    an int8 network are there without its description, or the other way round.
    """
    tensors = _stored(model, description)
    file = folder / MODEL_FILE
    # What was trained may have another batch norm than what is loaded.
    network = build_network(tensors, description, file)
    for name, tensor in tensors.items():
        if not np.isfinite(tensor.values()).all():
            raise ArtifactError(f"{file}: tensor {name} holds values that are not finite")
    try:
        facts = describe_model(network, description)
    except ValueError as error:
        raise ArtifactError(f"{file}: {error}") from error
    files = {**files, FACTS_FILE: facts.to_json()}
    metadata = ModelMetadata(
        **{field: getattr(description, field) for field in ModelDescription.model_fields},
        tensors_sha256=digest_tensors(tensors),
        files=_digests(files),
    )
    _replace_folder(folder, {**files, MODEL_FILE: _file_of(tensors, metadata)}, prove)
    return metadata


def seal_artifact(folder: Path) -> ModelMetadata:
    """Give the model in `folder` what it was stored without: the digest of its metadata, `FACTS_FILE`, and a
    network that is served without PyTorch.

    All else stays as it is, files beside the artifact's own included. Raises `ArtifactError` for one that has
    a digest that is not its own, and where `load_artifact` would.
    """
    file = folder / MODEL_FILE
    metadata, tensors = read_stored(file, is_sealed=False)
    model = build_network(tensors, metadata, file)
    require_digest(tensors, metadata, file)
    files = {name: (folder / name).read_bytes() for name in metadata.files}
    try:
        files[FACTS_FILE] = describe_model(model, metadata).to_json()
    except ValueError as error:
        raise ArtifactError(f"{file}: {error}") from error
    if not files.keys() & {INT8_NETWORK_FILE, FLOAT32_NETWORK_FILE}:
        files |= float32_network(model, Preprocessing.from_metadata(metadata), metadata.name)
    sealed = metadata.model_copy(update={"files": {**_digests(files), **metadata.files}})

    def prove(fresh: Path) -> None:
        load_artifact(fresh)
        copy_beside(folder, fresh)

    _replace_folder(folder, {**files, MODEL_FILE: _file_of(tensors, sealed)}, prove)
    return sealed


def copy_beside(folder: Path, fresh: Path) -> None:
    """Copy into `fresh`, which is to replace `folder`, what lies in `folder` and has no file of that name."""
    for beside in folder.iterdir():
        if not os.path.lexists(fresh / beside.name):
            if beside.is_dir() and not beside.is_symlink():
                shutil.copytree(beside, fresh / beside.name, symlinks=True)
            else:
                shutil.copy2(beside, fresh / beside.name, follow_symlinks=False)


def _stored(model: nn.Module, description: ModelDescription) -> dict[str, StoredTensor]:
    """The tensors of `model` in the types in which an artifact keeps them."""
    stored = {}
    for name, tensor in model.state_dict().items():
        kept = tensor.detach().cpu().to(getattr(torch, stored_type(tensor, description))).contiguous()
        data = kept.reshape(-1).view(torch.uint8).numpy().tobytes()
        stored[name] = StoredTensor(str(kept.dtype).removeprefix("torch."), tuple(kept.shape), data)
    return stored


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}


def _file_of(tensors: Mapping[str, StoredTensor], metadata: ModelMetadata) -> bytes:
    """`tensors` as a safetensors file, `metadata` and their digest in its header."""
    fields = json.loads(metadata.model_dump_json())
    header = {HEADER_KEY: json.dumps({**fields, DIGEST_KEY: digest_metadata(fields)})}
    return save({name: _as_tensor(tensor) for name, tensor in tensors.items()}, metadata=header)


def _as_tensor(stored: StoredTensor) -> Tensor:
    dtype: torch.dtype = getattr(torch, stored.dtype)
    return torch.frombuffer(bytearray(stored.data), dtype=dtype).reshape(stored.shape)


def _replace_folder(folder: Path, files: Mapping[str, bytes], prove: Callable[[Path], object]) -> None:
    """Write `files` beside `folder`, then let them take its place by renaming, once `prove` has returned.

    At no time does `folder` hold a part of the files. What is raised, by Ctrl-C too, leaves the old folder.
    Killed between the two renames, it is absent, and both the old and the new content lie complete beside it
    under names that begin with a dot. Of a link, the folder that it leads to is replaced.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    unique = uuid.uuid4().hex
    fresh = folder.with_name(f".{folder.name}.{unique}.new")
    replaced = folder.with_name(f".{folder.name}.{unique}.old")
    fresh.mkdir()
    try:
        try:
            for name, content in files.items():
                with (fresh / name).open("wb") as opened:
                    opened.write(content)
                    opened.flush()
                    os.fsync(opened.fileno())
        except OSError as error:
            if error.errno is None or error.filename is not None:
                raise
            # Of a full disk, Python does not say which.
            raise OSError(error.errno, error.strerror, str(folder)) from error
        prove(fresh)
        if folder.exists():
            folder.rename(replaced)
        fresh.rename(folder)
    finally:
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        for left in (fresh, replaced):
            shutil.rmtree(left, ignore_errors=True)
