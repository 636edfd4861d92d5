"""Further files for an artifact that is there already."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from models.artifact.save import save_artifact
from models.artifact.store import ModelDescription, ModelMetadata, load_artifact


def amend_artifact(folder: Path, files: Mapping[str, bytes]) -> ModelMetadata:
    """Put `files` (name to content) among those whose digests the artifact states, in place of any there.

    All else stays as it is, the bits of the tensors and files beside the artifact's own included. Raises
    `ArtifactError` where `load_artifact` would, and then nothing has changed.
    """
    artifact = load_artifact(folder)
    metadata = artifact.metadata
    own = {name: (folder / name).read_bytes() for name in metadata.files}
    described = {field: getattr(metadata, field) for field in ModelDescription.model_fields}

    def prove(fresh: Path) -> None:
        load_artifact(fresh)
        for beside in folder.iterdir():
            if not (fresh / beside.name).exists():
                copy = shutil.copytree if beside.is_dir() else shutil.copy2
                copy(beside, fresh / beside.name)

    return save_artifact(folder, artifact.model, ModelDescription(**described), {**own, **files}, prove)
