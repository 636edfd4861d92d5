"""What the requests and the responses of several routes have in common."""

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from app.registry.served_model import ServedModel
from models.engines import Floats

TOP = 5
"""Classes in responses that leave no choice."""


class VersionQuery(BaseModel):
    """Of a route whose path names the model. Other parameters than those of the class are refused."""

    model_config = ConfigDict(extra="forbid")

    version: str | None = Field(
        None, max_length=100, description="Version of the model; by default the one loaded last."
    )


class ModelQuery(VersionQuery):
    model: str | None = Field(
        None, max_length=100, description="Name of the model; by default the first of `/models`."
    )


class ModelId(BaseModel):
    name: str
    version: str


class ClassProbability(BaseModel):
    label: str
    probability: float = Field(description="Calibrated, 0..1; the sum over all classes is 1.")


def model_id(model: ServedModel) -> ModelId:
    return ModelId(name=model.metadata.name, version=model.metadata.version)


def top_classes(probabilities: Floats, model: ServedModel) -> list[ClassProbability]:
    """The `TOP` best of one image's `probabilities` (classes,), the most probable first."""
    best = np.argsort(-probabilities, kind="stable")[:TOP].tolist()
    return [
        ClassProbability(label=model.metadata.classes[index], probability=float(probabilities[index]))
        for index in best
    ]
