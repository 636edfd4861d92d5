"""What the answers of several routes have in common."""

from pydantic import BaseModel, Field
from torch import Tensor

from app.registry.served_model import ServedModel

TOP = 5
"""Classes in answers that leave no choice."""


class ModelId(BaseModel):
    name: str
    version: str


class ClassProbability(BaseModel):
    label: str
    probability: float = Field(description="Calibrated, 0..1; over all classes the sum is 1.")


def model_id(model: ServedModel) -> ModelId:
    return ModelId(name=model.metadata.name, version=model.metadata.version)


def top_classes(probabilities: Tensor, model: ServedModel) -> list[ClassProbability]:
    """The `TOP` best of one image's `probabilities` (classes,), the most probable first."""
    best = probabilities.topk(min(TOP, len(probabilities)))
    return [
        ClassProbability(label=model.metadata.classes[index], probability=probability)
        for probability, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
