"""What `--engine` of the commands takes: an engine of `models.engines.ENGINES`, and its arithmetic."""

from typing import Literal

import torch
from torch import Tensor

from models import engines
from models.artifact.metadata import (
    FLOAT32_NETWORK_FILE,
    FLOAT32_WEIGHTS_FILE,
    INT8_NETWORK_FILE,
    INT8_WEIGHTS_FILE,
    MODEL_FILE,
)
from models.artifact.store import Artifact
from models.engines import ENGINES, Engine, EngineOptions, Precision
from training.evaluation.batch_size import batch_size

ENGINE_CHOICES: dict[str, tuple[str, Precision]] = {
    **{name: (name, "float32") for name in ENGINES},
    **{f"{name}-bfloat16": (name, "bfloat16") for name in ENGINES},
    # The int8 network of an artifact is a file of OpenVINO.
    "int8": ("openvino", "int8"),
}
"""The engine, and the precision that it computes in."""


def load_engine(artifact: Artifact, choice: str, device: torch.device) -> Engine:
    """The engine that `choice`, a key of `ENGINE_CHOICES`, names; on the processor if it has no other device.

    Raises `EngineError` where the model or the machine lacks the precision.
    """
    name, precision = ENGINE_CHOICES[choice]
    where: Literal["auto", "cpu"] = "cpu" if device.type == "cpu" else "auto"
    return engines.load_engine(artifact, name, EngineOptions(where, precision, torch.get_num_threads()))


def files_read(artifact: Artifact, choice: str) -> tuple[str, ...]:
    """The files of `artifact` from which the engine of this choice computes."""
    name, precision = ENGINE_CHOICES[choice]
    if precision == "int8":
        return INT8_NETWORK_FILE, INT8_WEIGHTS_FILE
    if name == "openvino" and FLOAT32_NETWORK_FILE in artifact.metadata.files:
        return FLOAT32_NETWORK_FILE, FLOAT32_WEIGHTS_FILE
    return (MODEL_FILE,)


def engine_logits(engine: Engine, images: Tensor) -> Tensor:
    """Logits (N, classes) float32 on the CPU of uint8 `images` (N, C, S, S) on any device."""
    batches = torch.split(images, engine.max_batch or batch_size(images))
    return torch.cat([torch.from_numpy(engine.predict(batch.cpu().numpy())) for batch in batches])
