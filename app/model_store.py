"""A folder -> a model that is proven fit to serve."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from app.engines import Engine
from app.engines.torch import TorchEngine
from models.artifact import ArtifactError, ModelMetadata, load_artifact
from models.batch_norm_report import BatchNormLayer, batch_norm_report, require_inference_ready
from models.golden import check_golden
from models.preprocessing import Preprocessing
from models.summary import LayerSummary, summarize

GOLDEN_TOLERANCE = 1e-3
"""Largest difference from a golden logit. Float32 on another machine differs by about 1e-5, a wrong weight,
mean or scale by far more than this."""


@dataclass(frozen=True)
class ServedModel:
    """All that requests need of a model."""

    metadata: ModelMetadata
    preprocessing: Preprocessing
    engine: Engine
    layers: list[LayerSummary]
    batch_norms: list[BatchNormLayer]

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits (N, classes) to calibrated probabilities (N, classes), each row with sum 1."""
        return torch.softmax(logits / self.metadata.temperature, dim=1)


def load_model(folder: Path, device: Literal["auto", "cpu", "cuda"]) -> ServedModel:
    """Load and prove the model in `folder`; afterwards its engine is warm.

    Raises `ArtifactError` if the artifact does not load, a batch norm is not in eval mode or was never
    updated, the device is missing, or the engine does not reproduce the golden logits.
    """
    artifact = load_artifact(folder)
    metadata = artifact.metadata
    try:
        require_inference_ready(artifact.model)
        layers = summarize(artifact.model, (metadata.in_channels, metadata.input_size, metadata.input_size))
        batch_norms = batch_norm_report(artifact.model)
        engine = TorchEngine(artifact.model, device)
    except ValueError as error:
        raise ArtifactError(f"{folder}: {error}") from error
    preprocessing = Preprocessing.from_metadata(metadata)
    check_golden(folder, lambda images: engine.predict(preprocessing.normalize(images)), GOLDEN_TOLERANCE)
    return ServedModel(metadata, preprocessing, engine, layers, batch_norms)
