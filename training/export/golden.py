"""The golden tensors of an artifact: see `models.artifact.golden`, which compares an engine with them."""

import torch
from safetensors.torch import save
from torch import Tensor, nn

from models.batch_norm.report import require_inference_ready
from models.preprocessing.transform import Preprocessing


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
