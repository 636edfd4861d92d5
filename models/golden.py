"""Golden tensors: a few images and their logits, stored beside the weights to prove an engine right."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from models.artifact import ArtifactError
from models.batch_norm_report import require_inference_ready
from models.preprocessing import Preprocessing

GOLDEN_FILE = "golden.safetensors"


@torch.inference_mode()
def make_golden(model: nn.Module, preprocessing: Preprocessing, images: Tensor) -> bytes:
    """Run `images`, uint8 (N, C, S, S), through `model`; return both as the bytes of a safetensors file.

    The file holds `images` as given and `logits`, float32 (N, classes). Use the weights as they are stored,
    not as they were before rounding.

    Raises `ValueError` for images of another type or of no number, and for a model that is not ready for
    inference (see `require_inference_ready`).
    """
    if images.dtype != torch.uint8 or images.dim() != 4 or len(images) == 0:
        raise ValueError(
            f"images must be uint8 (N, C, S, S) with N >= 1, got {images.dtype} {tuple(images.shape)}"
        )
    require_inference_ready(model)
    device = next(model.parameters()).device
    logits: Tensor = model(preprocessing.normalize(images.to(device)))
    return save({"images": images.cpu().contiguous(), "logits": logits.float().cpu().contiguous()})


def check_golden(folder: Path, predict: Callable[[Tensor], Tensor], tolerance: float) -> None:
    """Compare `predict` with the golden logits in `folder`.

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
    for name in ("images", "logits"):
        if name not in golden:
            raise ArtifactError(f"{file}: tensor {name} is missing")
    expected = golden["logits"]
    logits = predict(golden["images"]).float().cpu()
    if logits.shape != expected.shape:
        raise ArtifactError(
            f"{file}: the engine gives logits of shape {tuple(logits.shape)}, "
            f"stored are {tuple(expected.shape)}"
        )
    difference = (logits - expected).abs().max().item()
    # Written so that a difference of NaN is refused too.
    if not difference <= tolerance:
        raise ArtifactError(
            f"{file}: the engine's logits differ by up to {difference:.3g}, allowed are {tolerance:.3g}"
        )
