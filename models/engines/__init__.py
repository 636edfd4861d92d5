"""What computes logits: the engines, and the choice among them.

A new one is a file beside this and one line in `ENGINES`: the service, `evaluate` and the tests that every
engine has to pass find it there.
"""

from pkgutil import resolve_name

from models.artifact.store import Artifact
from models.engines.base import Engine, EngineError, EngineOptions, Floats, Images, Precision
from models.hardware import has_cuda_device

__all__ = [
    "ENGINES",
    "Engine",
    "EngineError",
    "EngineOptions",
    "Floats",
    "Images",
    "Precision",
    "create_engine",
    "load_engine",
]

ENGINES: dict[str, str] = {
    "openvino": "models.engines.openvino_engine:OpenVinoEngine.of",
    "torch": "models.engines.torch_engine:TorchEngine",
}
"""Where each engine is made, `(Artifact, EngineOptions) -> Engine`: imported when it is asked for, as what it
computes by need not be installed."""


def load_engine(artifact: Artifact, name: str, options: EngineOptions) -> Engine:
    """The engine `name`, a key of `ENGINES`.

    Raises `EngineError` where it cannot serve the model with these options, or is not installed.
    """
    try:
        create = resolve_name(ENGINES[name])
    except ImportError as error:
        raise EngineError(f"the {name} engine needs {error.name}, which is not installed") from error
    engine: Engine = create(artifact, options)
    return engine


def create_engine(artifact: Artifact, name: str, options: EngineOptions) -> tuple[Engine, str]:
    """The engine `name`, a key of `ENGINES` or `auto`, and why it is this one.

    Raises `EngineError` where it cannot serve the model with these options.
    """
    if name != "auto":
        return load_engine(artifact, name, options), f"engine={name}"
    if options.device == "cuda":
        return load_engine(artifact, "torch", options), "device=cuda"
    if options.device == "auto" and _torch_finds_cuda():
        return load_engine(artifact, "torch", options), "a CUDA device was found"
    if options.compile:
        return load_engine(artifact, "torch", options), "torch_compile is on"
    where = "device=cpu" if options.device == "cpu" else "no CUDA device was found"
    why = f"{where}, and OpenVINO is the fastest on a processor"
    return load_engine(artifact, "openvino", options), why


def _torch_finds_cuda() -> bool:
    """Asked of PyTorch only where there is a GPU: to import it takes seconds and 850 MB."""
    if not has_cuda_device():
        return False
    try:
        from torch import cuda
    except ImportError:
        return False
    return cuda.is_available()
