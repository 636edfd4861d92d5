"""What robustness.json tells, beside an artifact's report: answers to pictures that something happened to.

An artifact that was not measured in this way has none.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.artifact.store import ArtifactError, ModelMetadata

FILE_NAME = "robustness.json"

Group = Literal["corruption", "encoding", "size", "movement", "colour"]


class Figures(BaseModel):
    """Of one network on the same pictures; shares are in 0..1."""

    model_config = ConfigDict(extra="forbid")

    accuracy: float = Field(description="Share of right answers.", ge=0, le=1)
    changed: float = Field(
        description="Share of answers other than those to the untouched pictures, right or wrong.", ge=0, le=1
    )


class Condition(BaseModel):
    """One thing that happened to all pictures."""

    model_config = ConfigDict(extra="forbid")

    group: Group = Field(description="What kind of thing it is.")
    name: str = Field(description="What it is, such as `fog` or `jpeg 4:2:0`.")
    level: str = Field(description="How much of it: a severity, a quality, pixels, degrees.")
    figures: dict[str, Figures] = Field(description="By what computed: `float32`, `bfloat16`, `int8`.")


class Robustness(BaseModel):
    """All conditions that an artifact was measured under, on a part of its data set's test images."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The model's name.")
    version: str = Field(description="The model's version.")
    tensors_sha256: str = Field(description="The digest of its tensors, as in its metadata.")
    data: str = Field(description="The name of the data set.")
    images: int = Field(description="Test images in each condition.", ge=1)
    seed: int = Field(description="Of the images' choice and of the corruptions.")
    clean: dict[str, float] = Field(description="Accuracy on the untouched pictures, by what computed.")
    mean_corrupted: dict[str, float] = Field(
        description="Mean accuracy over the 15 corruptions at their five severities, by what computed."
    )
    conditions: list[Condition] = Field(description="What happened, and what was answered then.")


def load_robustness(folder: Path, metadata: ModelMetadata) -> Robustness | None:
    """Read robustness.json of the artifact in `folder`, None where it has none. Raises `ArtifactError`."""
    file = folder / FILE_NAME
    if FILE_NAME not in metadata.files:
        return None
    try:
        robustness = Robustness.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise ArtifactError(f"{file} cannot be read: {error}") from error
    if robustness.tensors_sha256 != metadata.tensors_sha256:
        raise ArtifactError(f"{file}: tensors_sha256 is of other weights than the artifact's")
    return robustness
