"""Everything that must be identical when training and when serving."""

from collections.abc import Callable

from torch import nn

from models.architectures.airbench import airbench94, airbench96
from models.architectures.lenet import lenet
from models.architectures.residual import NormLayer
from models.architectures.resnet import resnet18, resnet18_3x3
from models.batch_norm.layer import BatchNorm

ARCHITECTURES: dict[str, Callable[[int, int, NormLayer], nn.Module]] = {
    "lenet": lenet,
    "resnet18": resnet18,
    "resnet18-3x3": resnet18_3x3,
    "airbench94": airbench94,
    "airbench96": airbench96,
}


def create_model(
    name: str, num_classes: int, in_channels: int = 3, norm_layer: NormLayer = BatchNorm
) -> nn.Module:
    """Build the named network: (N, in_channels, H, W) to logits (N, num_classes).

    `norm_layer` is `models.batch_norm.layer.BatchNorm` or `nn.BatchNorm2d`; the state dict is the same for
    both.
    Raises `ValueError` for an unknown name or a number below 1.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}: choose from {', '.join(ARCHITECTURES)}")
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    if in_channels < 1:
        raise ValueError(f"in_channels must be at least 1, got {in_channels}")
    return ARCHITECTURES[name](num_classes, in_channels, norm_layer)
