"""What computes logits: the engines, and the choice among them."""

from collections.abc import Callable

# Not `import torch`: in this package that name is the module of the engine.
from torch import cuda

from app.engines.base import Engine, EngineError, EngineOptions, Precision
from app.engines.openvino import OpenVinoEngine
from app.engines.torch import TorchEngine
from models.artifact import Artifact

__all__ = ["ENGINES", "Engine", "EngineError", "EngineOptions", "Precision", "create_engine"]

ENGINES: dict[str, Callable[[Artifact, EngineOptions], Engine]] = {
    "openvino": OpenVinoEngine,
    "torch": TorchEngine,
}


def create_engine(artifact: Artifact, name: str, options: EngineOptions) -> tuple[Engine, str]:
    """The engine `name`, a key of `ENGINES` or `auto`, and why it is this one.

    Raises `EngineError` where it cannot serve the model with these options.
    """
    if name != "auto":
        return ENGINES[name](artifact, options), f"ENGINE={name}"
    if options.device == "cuda":
        return ENGINES["torch"](artifact, options), "DEVICE=cuda"
    if options.device == "auto" and cuda.is_available():
        return ENGINES["torch"](artifact, options), "a CUDA device was found"
    if options.compile:
        return ENGINES["torch"](artifact, options), "TORCH_COMPILE is on"
    where = "DEVICE=cpu" if options.device == "cpu" else "no CUDA device was found"
    return ENGINES["openvino"](artifact, options), f"{where}, and OpenVINO is the fastest on a processor"
