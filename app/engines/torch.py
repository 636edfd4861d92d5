"""The network as it was trained, by PyTorch."""

from typing import Literal

import torch
from torch import Tensor, nn


class TorchEngine:
    """Float32 in channels-last layout, on a GPU where there is one.

    Takes `model` over: it is put in eval mode and moved. Raises `ValueError` if `device` is `cuda` and there
    is none.
    """

    name = "torch"
    precision = "float32"

    def __init__(self, model: nn.Module, device: Literal["auto", "cpu", "cuda"]) -> None:
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cuda":
            if not torch.cuda.is_available():
                raise ValueError("there is no CUDA device that this build of PyTorch can use")
            # By default a GPU rounds the operands of a convolution to 10 bits, which is no float32.
            torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
        self.device: str = device
        self._model = model.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def predict(self, images: Tensor) -> Tensor:
        batch = images.to(self.device, memory_format=torch.channels_last)
        logits: Tensor = self._model(batch)
        return logits.float().cpu()
