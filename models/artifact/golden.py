"""Golden tensors: a few images and their logits, stored beside the weights to prove an engine right."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from models.artifact.store import ArtifactError
from models.batch_norm.report import require_inference_ready
from models.preprocessing.transform import Preprocessing

GOLDEN_FILE = "golden.safetensors"

GoldenLogits = Literal["logits", "int8_logits"]
"""The tensors of logits that the file may hold: of the stored weights in float32, and of the int8 network."""


@torch.inference_mode()
def make_golden(
    model: nn.Module,
    preprocessing: Preprocessing,
    images: Tensor,
    int8_logits: Tensor | None = None,
) -> bytes:
    """Run `images`, uint8 (N, C, S, S), through `model`; return both as the bytes of a safetensors file.

    The file holds `images` as given and `logits`, float32 (N, classes). Use the weights as they are stored,
    not as they were before rounding. `int8_logits`, float32 (N, classes), are those that the int8 network
    gives for the same images; the file holds them too.

    Raises `ValueError` for images of another type or of no number, for `int8_logits` of another type or shape
    than the model's, and for a model that is not ready for inference (see `require_inference_ready`).
    """
    if images.dtype != torch.uint8 or images.dim() != 4 or len(images) == 0:
        raise ValueError(
            f"images must be uint8 (N, C, S, S) with N >= 1, got {images.dtype} {tuple(images.shape)}"
        )
    require_inference_ready(model)
    device = next(model.parameters()).device
    logits: Tensor = model(preprocessing.normalize(images.to(device))).float()
    tensors = {"images": images, "logits": logits}
    if int8_logits is not None:
        if int8_logits.dtype != torch.float32 or int8_logits.shape != logits.shape:
            raise ValueError(
                f"int8_logits must be float32 {tuple(logits.shape)}, "
                f"got {int8_logits.dtype} {tuple(int8_logits.shape)}"
            )
        tensors["int8_logits"] = int8_logits
    return save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})


def check_golden(
    folder: Path,
    predict: Callable[[Tensor], Tensor],
    tolerance: float,
    expected: GoldenLogits = "logits",
) -> None:
    """Compare `predict` with the golden logits in `folder` that `expected` names.

    `predict` takes the stored images, uint8 (N, C, S, S), and returns logits (N, classes): a call of
    `Preprocessing.normalize` and then the engine. `tolerance` is the largest absolute difference allowed.

    Raises `ArtifactError` if the file is missing or damaged, or if a logit differs by more.
    """
    file = folder / GOLDEN_FILE
    if not file.is_file():
        raise ArtifactError(f"{file}: the file is missing")
    try:
        golden = load_file(file)
    except SafetensorError as error:
        raise ArtifactError(f"{file}: not a whole safetensors file ({error})") from error
    for name in ("images", expected):
        if name not in golden:
            raise ArtifactError(f"{file}: tensor {name} is missing")
    stored = golden[expected]
    logits = predict(golden["images"]).float().cpu()
    if logits.shape != stored.shape:
        raise ArtifactError(
            f"{file}: the engine gives {expected} of shape {tuple(logits.shape)}, "
            f"stored are {tuple(stored.shape)}"
        )
    difference = (logits - stored).abs().max().item()
    # Written so that a difference of NaN is refused too.
    if not difference <= tolerance:
        raise ArtifactError(
            f"{file}: the engine's {expected} differ by up to {difference:.3g}, allowed are {tolerance:.3g}"
        )
