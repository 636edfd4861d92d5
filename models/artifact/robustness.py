"""What robustness.json tells, beside an artifact's report: answers to pictures that something happened to."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

FILE_NAME = "robustness.json"

Group = Literal["corruption", "encoding", "size", "movement", "colour"]


class Figures(BaseModel):
    """Of one engine on the same pictures; shares are in 0..1."""

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
    level: str = Field(description="How much of it: a strength, a quality, pixels, degrees.")
    engines: dict[str, Figures] = Field(description="By the engine that computed.")


class Robustness(BaseModel):
    """All conditions that an artifact was measured under, on a part of its data set's test images."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The model's name.")
    version: str = Field(description="The model's version.")
    tensors_sha256: str = Field(description="The digest of its tensors, as in its metadata.")
    data: str = Field(description="The name of the data set.")
    images: int = Field(description="Test images in each condition.", ge=1)
    seed: int = Field(description="Of the images' choice and of the corruptions.")
    clean: dict[str, float] = Field(description="Accuracy on the untouched pictures, by engine.")
    mean_corrupted: dict[str, float] = Field(
        description="Mean accuracy over the 15 corruptions at their five strengths, by engine."
    )
    conditions: list[Condition] = Field(description="What happened, and what was answered then.")
