"""A folder -> a model that is proven fit to serve, and warm."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from app.batching.scores import Scores
from app.registry.pytorch import import_pytorch
from app.registry.warm_up import Warmth, warm_up
from models.artifact.detector import load_detector
from models.artifact.facts import ModelFacts
from models.artifact.golden import GoldenError, GoldenLogits, check_golden
from models.artifact.metadata import ModelMetrics
from models.artifact.reference import FILE_NAME as REFERENCE_FILE
from models.artifact.reference import Reference, load_reference
from models.artifact.report import FILE_NAME as REPORT_FILE
from models.artifact.robustness import FILE_NAME as ROBUSTNESS_FILE
from models.artifact.store import Artifact, ArtifactError, ModelMetadata, read_artifact
from models.batch_norm.facts import BatchNormLayer, require_ready, stored_batch_norms
from models.engines import Engine, EngineOptions, Floats, Images, Precision, create_engine
from models.preprocessing.transform import Preprocessing
from models.unfamiliarity.detector import Detector

if TYPE_CHECKING:
    from torch import nn

    from models.class_activation import ClassActivation

Pixels: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
"""One image of a model's size, (C, S, S): uint8 in 0..255, or float32 in 0..1."""

GOLDEN_TOLERANCE: dict[Precision, float] = {"float32": 1e-3, "bfloat16": 0.5, "int8": 0.5}
"""Largest difference from a golden logit of the same network. Float32 on another machine differs by about
1e-5; in bfloat16 values keep 8 bits, and in int8 a difference of float rounding tips a value to the next of
256. A wrong weight, mean or scale moves logits by far more than this."""


@dataclass(frozen=True)
class ServedModel:
    """All that requests need of a model. `engine_reason` says why it is this engine.

    `facts` are about the network, which the `artifact` builds where something asks for it. `report` and
    `robustness` are the contents of the artifact's files of these names, None where it has none.
    `batch_seconds` is what the slowest of the largest batches took in the warm-up. `reference` is what
    `DriftMonitor` compares with, and `detector` tells unfamiliar images by what `engine` gives; both are None
    where the artifact has none.
    """

    artifact: Artifact
    facts: ModelFacts
    preprocessing: Preprocessing
    engine: Engine
    engine_reason: str
    max_batch: int
    batch_norms: list[BatchNormLayer]
    report: bytes | None
    batch_seconds: float
    reference: Reference | None = None
    detector: Detector | None = None
    robustness: bytes | None = None

    @property
    def metadata(self) -> ModelMetadata:
        return self.artifact.metadata

    @property
    def network(self) -> "nn.Module":
        """The stored weights in float32 on the processor, in eval mode, for looking into.

        To be called off the event loop, and computed inside `MODULE_CALLS.computing`; it is never changed.
        """
        return self.artifact.model

    @cached_property
    def class_activation(self) -> "ClassActivation":
        """Of `network`. Raises `ValueError` where its end allows none, as `facts` tell."""
        from models.class_activation import ClassActivation

        return ClassActivation(self.network)

    @property
    def metrics(self) -> ModelMetrics:
        """The test figures of what answers: the int8 network's own where that is what computes."""
        int8 = self.metadata.int8
        return int8.metrics if int8 is not None and self.engine.precision == "int8" else self.metadata.metrics

    def classify(self, images: Sequence[Pixels]) -> list[Scores]:
        """Compute one batch of images. To be called off the event loop."""
        start = perf_counter()
        batch = stacked(images)
        unfamiliar: list[float] | list[None] = [None] * len(images)
        if self.detector is None:
            logits = self.engine.predict(batch)
        else:
            logits, features = self.engine.predict_with_features(batch)
            unfamiliar = self.detector.unfamiliarity(features, logits).tolist()
        probabilities = softmax(logits / np.float32(self.metadata.temperature_of(self.engine.precision)))
        classes = np.argsort(-probabilities, axis=1, kind="stable")
        ranked = np.take_along_axis(probabilities, classes, axis=1)
        seconds = perf_counter() - start
        return [
            Scores(indices, values, seconds, start, len(images), unfamiliarity)
            for indices, values, unfamiliarity in zip(
                classes.tolist(), ranked.tolist(), unfamiliar, strict=True
            )
        ]

    def probabilities(self, logits: Floats) -> Floats:
        """Logits (N, classes) of `network` to calibrated probabilities (N, classes), each row with sum 1."""
        return softmax(logits / np.float32(self.metadata.temperature))


def stacked(images: Sequence[Pixels]) -> Images:
    """One array (N, C, S, S) of `images`; where some of them are of floats, all are."""
    is_mixed = len({image.dtype for image in images}) > 1
    of_floats = is_mixed or images[0].dtype != np.uint8
    batch: Images = np.empty((len(images), *images[0].shape), np.float32 if of_floats else np.uint8)
    for place, image in zip(batch, images, strict=True):
        place[...] = image / np.float32(255) if is_mixed and image.dtype == np.uint8 else image
    return batch


def softmax(logits: Floats) -> Floats:
    """Over the classes of each row, (N, classes)."""
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = shares / shares.sum(axis=1, keepdims=True)
    return probabilities


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
    if engine == "torch" or options.compile:
        import_pytorch()
    artifact = read_artifact(folder)
    metadata = artifact.metadata
    try:
        facts = artifact.facts
        batch_norms = stored_batch_norms(
            facts.batch_norms,
            {name: tensor.values() for name, tensor in artifact.tensors.items() if len(tensor.shape) < 2},
        )
        require_ready(batch_norms)
        created, reason = create_engine(artifact, engine, options)
    except ValueError as error:
        raise ArtifactError(f"{folder}: {error}") from error
    warmth = _prove(artifact, created, max_batch, is_stopping)
    return ServedModel(
        artifact,
        facts,
        Preprocessing.from_metadata(metadata),
        created,
        reason,
        warmth.max_batch,
        batch_norms,
        # Read now, as the folder need not stay.
        (folder / REPORT_FILE).read_bytes() if REPORT_FILE in metadata.files else None,
        warmth.batch_seconds,
        load_reference(folder, metadata.classes) if REFERENCE_FILE in metadata.files else None,
        load_detector(artifact, created.precision),
        (folder / ROBUSTNESS_FILE).read_bytes() if ROBUSTNESS_FILE in metadata.files else None,
    )


def for_throughput(model: ServedModel, is_stopping: Callable[[], bool] = lambda: False) -> ServedModel | None:
    """`model` on the engine that its own has for throughput, as proven and warm; None where it has none.

    Batches are as large as those of `model`: on fewer threads, a larger one gains no more. Raises
    `ArtifactError` where the folder of the model is gone, or the engine does not reproduce the golden logits,
    and `StoppedError` soon after `is_stopping` says so.
    """
    engine = model.engine.for_throughput()
    if engine is None:
        return None
    warmth = _prove(model.artifact, engine, model.max_batch, is_stopping)
    return replace(model, engine=engine, batch_seconds=warmth.batch_seconds)


def _prove(
    artifact: Artifact, engine: Engine, max_batch: int | None, is_stopping: Callable[[], bool]
) -> Warmth:
    """Compare an engine with the golden logits, and make it ready."""
    metadata = artifact.metadata
    logits: GoldenLogits = "int8_logits" if engine.precision == "int8" else "logits"
    try:
        check_golden(artifact.folder, engine.predict, GOLDEN_TOLERANCE[engine.precision], logits)
    except GoldenError as error:
        raise ArtifactError(f"{error}: on this processor, use another precision or engine") from error
    blank = np.zeros((1, metadata.in_channels, metadata.input_size, metadata.input_size), np.uint8)
    return warm_up(engine, blank, max_batch, is_stopping)
