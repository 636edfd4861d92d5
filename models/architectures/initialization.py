"""How a network's weights start, by name."""

import math
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn


def xavier(weight: Tensor) -> None:
    """Glorot and Bengio, 2010, https://proceedings.mlr.press/v9/glorot10a.html: uniform, for sigmoids."""
    nn.init.xavier_uniform_(weight)


def kaiming(weight: Tensor) -> None:
    """He et al., 2015, https://arxiv.org/abs/1502.01852: normal, for ReLU networks.

    Over fan-out for convolutions, which keeps the gradients' size; over fan-in for linear layers, for a
    classifier's few outputs would make its first logits, and so its first loss, far too large.
    """
    mode: Literal["fan_in", "fan_out"] = "fan_out" if weight.dim() == 4 else "fan_in"
    nn.init.kaiming_normal_(weight, mode=mode, nonlinearity="relu")


def dirac(weight: Tensor) -> None:
    """Jordan, 2024, https://arxiv.org/abs/2404.00498: a convolution starts by passing its input on.

    The first filters of a convolution, one for each input channel, copy that channel; the rest, and linear
    layers, are uniform within 1 / sqrt(fan-in), PyTorch's default.
    """
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
    if weight.dim() == 4:
        nn.init.dirac_(weight[: weight.shape[1]])


INITIALIZATIONS: dict[str, Callable[[Tensor], None]] = {
    "xavier": xavier,
    "kaiming": kaiming,
    "dirac": dirac,
}


def initialize(model: nn.Module, name: str) -> None:
    """Set the weights of every convolution and linear layer of `model` by the named scheme, biases to 0.

    Raises `ValueError` for a name that is not in `INITIALIZATIONS`.
    """
    if name not in INITIALIZATIONS:
        raise ValueError(f"unknown initialization {name!r}: choose from {', '.join(INITIALIZATIONS)}")
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            INITIALIZATIONS[name](module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
