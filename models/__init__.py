"""Everything that must be identical when training and when serving.

What classifies on OpenVINO imports no PyTorch: registries here name what they hold, and it is imported when
it is first asked for.
"""

from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from models.architectures.residual import NormLayer

ARCHITECTURES: dict[str, str] = {
    "lenet": "models.architectures.lenet:lenet",
    "resnet18": "models.architectures.resnet:resnet18",
    "resnet18-3x3": "models.architectures.resnet:resnet18_3x3",
    "airbench94": "models.architectures.airbench:airbench94",
    "airbench96": "models.architectures.airbench:airbench96",
}
"""Where each network's function is: `(num_classes, in_channels, norm_layer) -> nn.Module`."""


def create_model(
    name: str, num_classes: int, in_channels: int = 3, norm_layer: "NormLayer | None" = None
) -> "nn.Module":
    """Build the named network: (N, in_channels, H, W) to logits (N, num_classes).

    `norm_layer` is `models.batch_norm.layer.BatchNorm`, which None stands for, or `nn.BatchNorm2d`; the state
    dict is the same for both.
    Raises `ValueError` for an unknown name or a number below 1.
    """
    if name not in ARCHITECTURES:
        raise ValueError(f"unknown architecture {name!r}: choose from {', '.join(ARCHITECTURES)}")
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    if in_channels < 1:
        raise ValueError(f"in_channels must be at least 1, got {in_channels}")
    if norm_layer is None:
        from models.batch_norm.layer import BatchNorm

        norm_layer = BatchNorm
    model: nn.Module = resolve_name(ARCHITECTURES[name])(num_classes, in_channels, norm_layer)
    return model
