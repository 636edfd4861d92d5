"""Further files for an artifact that is there already."""

from collections.abc import Mapping
from pathlib import Path

from models.artifact.save import copy_beside, save_artifact
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
        copy_beside(folder, fresh)

    return save_artifact(folder, artifact.model, ModelDescription(**described), {**own, **files}, prove)
