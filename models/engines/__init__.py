"""What computes logits: the engines, and the choice among them.

A new one is a file beside this and one line in `ENGINES`: the service, `evaluate` and the tests that every
engine has to pass find it there.
"""

from collections.abc import Callable

from torch import cuda

from models.artifact.store import Artifact
from models.engines.base import Engine, EngineError, EngineOptions, Precision
from models.engines.openvino_engine import OpenVinoEngine
from models.engines.torch_engine import TorchEngine

__all__ = ["ENGINES", "Engine", "EngineError", "EngineOptions", "Precision", "create_engine"]

ENGINES: dict[str, Callable[[Artifact, EngineOptions], Engine]] = {
    "openvino": OpenVinoEngine.of,
    "torch": TorchEngine,
}


def create_engine(artifact: Artifact, name: str, options: EngineOptions) -> tuple[Engine, str]:
    """The engine `name`, a key of `ENGINES` or `auto`, and why it is this one.

    Raises `EngineError` where it cannot serve the model with these options.
    """
    if name != "auto":
        return ENGINES[name](artifact, options), f"engine={name}"
    if options.device == "cuda":
        return ENGINES["torch"](artifact, options), "device=cuda"
    if options.device == "auto" and cuda.is_available():
        return ENGINES["torch"](artifact, options), "a CUDA device was found"
    if options.compile:
        return ENGINES["torch"](artifact, options), "torch_compile is on"
    where = "device=cpu" if options.device == "cpu" else "no CUDA device was found"
    return ENGINES["openvino"](artifact, options), f"{where}, and OpenVINO is the fastest on a processor"
