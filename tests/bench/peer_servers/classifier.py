"""What a peer's server needs of the model: the same preprocessing, the same int8 file, the same answer."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from app.settings import load_settings
from models.artifact.store import INT8_NETWORK_FILE, Artifact, load_artifact
from models.engines import Precision
from models.engines.quiet_openvino import CORE, openvino
from models.hardware import usable_cores
from models.preprocessing.decode import decode
from models.preprocessing.transform import Preprocessing

INT8_NETWORK = "INT8_NETWORK"
"""The environment variable that names another int8 file than the one beside the served model."""

TOP = 5


@dataclass(frozen=True)
class Described:
    """The artifact's description, without its weights."""

    preprocessing: Preprocessing
    classes: tuple[str, ...]
    temperature: float

    def prepare(self, content: bytes) -> npt.NDArray[np.uint8]:
        """An image's bytes to uint8 (C, S, S). Large JPEGs at reduced scale, as the service does it."""
        decoded = decode(content, load_settings().max_image_pixels, self.preprocessing.input_size)
        pixels = self.preprocessing.resize(decoded.image, decoded.box)
        return np.asarray(pixels)

    def normalize(self, images: list[npt.NDArray[np.uint8]]) -> torch.Tensor:
        """Prepared images to one batch, float32 (N, C, S, S)."""
        return self.preprocessing.normalize(torch.from_numpy(np.stack(images)))

    def answers(self, logits: torch.Tensor) -> list[dict[str, Any]]:
        """Logits (N, classes) to one answer for each image, its most probable classes first."""
        found = torch.softmax(logits / self.temperature, dim=1).topk(min(TOP, len(self.classes)))
        return [
            {
                "predictions": [
                    {
                        "top": [
                            {"label": self.classes[index], "probability": value}
                            for index, value in zip(indices, values, strict=True)
                        ]
                    }
                ]
            }
            for indices, values in zip(found.indices.tolist(), found.values.tolist(), strict=True)
        ]


def artifact() -> Artifact:
    return load_artifact(load_settings().model_dir)


def describe(loaded: Artifact, precision: Precision) -> Described:
    """For the network that computes in `precision`, whose temperature is its own."""
    about = loaded.metadata
    return Described(Preprocessing.from_metadata(about), about.classes, about.temperature_of(precision))


def int8_file(environment: Mapping[str, str] = os.environ) -> Path:
    given = environment.get(INT8_NETWORK)
    return Path(given) if given else load_settings().model_dir / INT8_NETWORK_FILE


def compile_int8() -> openvino.CompiledModel:
    """The int8 network for one batch at a time on all cores, as OpenVINO's latency hint sets it up."""
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": usable_cores()}
    return CORE.compile_model(int8_file(), "CPU", options)


def infer(network: openvino.CompiledModel, images: torch.Tensor) -> torch.Tensor:
    """Normalised images, float32 (N, C, S, S), to logits (N, classes)."""
    return torch.from_numpy(network([images.numpy()], share_inputs=True)[0])
