"""A folder -> a model that is proven fit to serve, and warm."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor, nn

from app.batching.scores import Scores
from app.registry.warm_up import warm_up
from models.artifact.detector import load_detector
from models.artifact.golden import check_golden
from models.artifact.metadata import ModelMetrics
from models.artifact.reference import FILE_NAME as REFERENCE_FILE
from models.artifact.reference import Reference, load_reference
from models.artifact.report import FILE_NAME as REPORT_FILE
from models.artifact.robustness import FILE_NAME as ROBUSTNESS_FILE
from models.artifact.store import ArtifactError, ModelMetadata, load_artifact
from models.batch_norm.report import BatchNormLayer, batch_norm_report, require_inference_ready
from models.class_activation import ClassActivation
from models.engines import Engine, EngineOptions, Precision, create_engine
from models.preprocessing.transform import Preprocessing
from models.summary import LayerSummary, summarize
from models.unfamiliarity.detector import Detector

GOLDEN_TOLERANCE: dict[Precision, float] = {"float32": 1e-3, "bfloat16": 0.5, "int8": 0.5}
"""Largest difference from a golden logit of the same network. Float32 on another machine differs by about
1e-5; in bfloat16 values keep 8 bits, and in int8 a difference of float rounding tips a value to the next of
256. A wrong weight, mean or scale moves logits by far more than this."""


@dataclass(frozen=True)
class ServedModel:
    """All that requests need of a model. `engine_reason` says why it is this engine.

    `network` holds the stored weights in float32 on the processor, in eval mode, for looking into, inside
    `MODULE_CALLS.computing`; it is never changed. `class_activation` is None where its end allows none.
    `report` and `robustness` are the contents of the artifact's files of these names, None where it has
    none. `batch_seconds` is what the slowest batch of the warm-up took. `reference` is what
    `DriftMonitor` compares with, and `detector` tells unfamiliar images by what `engine` gives; both are
    None where the artifact has none.
    """

    metadata: ModelMetadata
    preprocessing: Preprocessing
    engine: Engine
    engine_reason: str
    max_batch: int
    layers: list[LayerSummary]
    batch_norms: list[BatchNormLayer]
    network: nn.Module
    class_activation: ClassActivation | None
    report: bytes | None
    batch_seconds: float
    reference: Reference | None = None
    detector: Detector | None = None
    robustness: bytes | None = None

    @property
    def metrics(self) -> ModelMetrics:
        """The test figures of what answers: the int8 network's own where that is what computes."""
        int8 = self.metadata.int8
        return int8.metrics if int8 is not None and self.engine.precision == "int8" else self.metadata.metrics

    def classify(self, images: Sequence[Tensor]) -> list[Scores]:
        """Compute one batch of images of the network's size, each (C, S, S), uint8 or float32 in 0..1.

        To be called off the event loop.
        """
        start = perf_counter()
        if len({image.dtype for image in images}) > 1:
            images = [image if image.is_floating_point() else image / 255 for image in images]
        batch = self.preprocessing.normalize(torch.stack(list(images)))
        unfamiliar: list[float] | list[None] = [None] * len(images)
        if self.detector is None:
            logits = self.engine.predict(batch)
        else:
            logits, features = self.engine.predict_with_features(batch)
            unfamiliar = self.detector.unfamiliarity(features.numpy(), logits.numpy()).tolist()
        temperature = self.metadata.temperature_of(self.engine.precision)
        probabilities, classes = torch.softmax(logits / temperature, dim=1).sort(dim=1, descending=True)
        seconds = perf_counter() - start
        return [
            Scores(indices, values, seconds, start, len(images), unfamiliarity)
            for indices, values, unfamiliarity in zip(
                classes.tolist(), probabilities.tolist(), unfamiliar, strict=True
            )
        ]

    def probabilities(self, logits: Tensor) -> Tensor:
        """Logits (N, classes) of `network` to calibrated probabilities (N, classes), each row with sum 1."""
        return torch.softmax(logits / self.metadata.temperature, dim=1)


def load_model(
    folder: Path,
    engine: str,
    options: EngineOptions,
    max_batch: int | None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> ServedModel:
    """Load and prove the model in `folder`; afterwards its engine is warm.

    `engine` is a key of `models.engines.ENGINES` or `auto`; `max_batch` None takes what suits the engine.

    Raises `ArtifactError` if the artifact does not load, a batch norm is not in eval mode or was never
    updated, the engine cannot serve it with these options, or does not reproduce the golden logits, and
    `StoppedError` soon after `is_stopping` says so.
    """
    artifact = load_artifact(folder)
    metadata = artifact.metadata
    try:
        require_inference_ready(artifact.model)
        layers = summarize(artifact.model, (metadata.in_channels, metadata.input_size, metadata.input_size))
        batch_norms = batch_norm_report(artifact.model)
        created, reason = create_engine(artifact, engine, options)
    except ValueError as error:
        raise ArtifactError(f"{folder}: {error}") from error
    preprocessing = Preprocessing.from_metadata(metadata)
    check_golden(
        folder,
        lambda images: created.predict(preprocessing.normalize(images)),
        GOLDEN_TOLERANCE[created.precision],
        "int8_logits" if created.precision == "int8" else "logits",
    )
    blank = torch.zeros(metadata.in_channels, metadata.input_size, metadata.input_size)
    warmth = warm_up(created, blank, max_batch, is_stopping)
    return ServedModel(
        metadata,
        preprocessing,
        created,
        reason,
        warmth.max_batch,
        layers,
        batch_norms,
        artifact.model,
        _class_activation(artifact.model),
        # Read now, as the folder need not stay.
        (folder / REPORT_FILE).read_bytes() if REPORT_FILE in metadata.files else None,
        warmth.batch_seconds,
        load_reference(folder, metadata.classes) if REFERENCE_FILE in metadata.files else None,
        load_detector(artifact, created.precision),
        (folder / ROBUSTNESS_FILE).read_bytes() if ROBUSTNESS_FILE in metadata.files else None,
    )


def _class_activation(network: nn.Module) -> ClassActivation | None:
    try:
        return ClassActivation(network)
    except ValueError:
        return None
