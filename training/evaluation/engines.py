"""What may compute an artifact's logits offline, by name: the plain dict `ENGINES`."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.artifact.metadata import MODEL_FILE
from models.artifact.store import INT8_NETWORK_FILE, INT8_WEIGHTS_FILE, Artifact, ArtifactError
from models.engines.openvino_ir import OpenVinoIR, convert
from models.preprocessing.transform import Preprocessing
from training.evaluation.evaluate import predict


@dataclass(frozen=True)
class Engine:
    """`logits` turns uint8 images (N, C, S, S), of the size that the artifact takes, into (N, classes).

    The torch engines compute on the device of the images, the others on the CPU. `files` are those of the
    artifact that the engine reads.
    """

    logits: Callable[[Artifact, Tensor], Tensor]
    files: tuple[str, ...]


def _torch(dtype: torch.dtype) -> Callable[[Artifact, Tensor], Tensor]:
    def logits(artifact: Artifact, images: Tensor) -> Tensor:
        model = artifact.model.to(images.device).to(memory_format=torch.channels_last)
        return predict(model, images, Preprocessing.from_metadata(artifact.metadata), dtype)

    return logits


def _openvino(artifact: Artifact, images: Tensor) -> Tensor:
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    network = convert(artifact.model.cpu(), preprocessing)
    return OpenVinoIR.of(network, artifact.metadata.name).predict(images, preprocessing)


def _int8(artifact: Artifact, images: Tensor) -> Tensor:
    if artifact.metadata.int8 is None:
        raise ArtifactError(f"{artifact.folder}: there is no int8 network in it, use --engine torch")
    xml, weights = ((artifact.folder / name).read_bytes() for name in (INT8_NETWORK_FILE, INT8_WEIGHTS_FILE))
    return OpenVinoIR(xml, weights).predict(images, Preprocessing.from_metadata(artifact.metadata))


ENGINES: dict[str, Engine] = {
    "torch": Engine(_torch(torch.float32), (MODEL_FILE,)),
    "torch-bfloat16": Engine(_torch(torch.bfloat16), (MODEL_FILE,)),
    "openvino": Engine(_openvino, (MODEL_FILE,)),
    "int8": Engine(_int8, (INT8_NETWORK_FILE, INT8_WEIGHTS_FILE)),
}
"""The stored weights in float32 and bfloat16 by PyTorch, in float32 by OpenVINO, and the int8 network."""
