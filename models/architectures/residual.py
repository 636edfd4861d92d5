"""The residual block.

Source: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2015,
https://arxiv.org/abs/1512.03385.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from models.batch_norm.layer import BatchNorm

NormLayer = Callable[[int], nn.Module]


class Residual(nn.Module):
    """relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)), with 3×3 convolutions.

    The shortcut is the identity, or with `use_1x1conv` a strided 1×1 convolution and its batch norm, needed
    whenever `stride` or the number of channels changes.

    Shapes: (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride)). Raises
    `ValueError` where the identity cannot match the block's output.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        *,
        use_1x1conv: bool = False,
        norm_layer: NormLayer = BatchNorm,
    ) -> None:
        super().__init__()
        if not use_1x1conv and (stride != 1 or in_channels != out_channels):
            raise ValueError(
                f"use_1x1conv is needed to go from {in_channels} to {out_channels} channels "
                f"with stride {stride}"
            )
        # A convolution's bias would be undone by the mean that the batch norm after it subtracts.
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = norm_layer(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = norm_layer(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if use_1x1conv:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False), norm_layer(out_channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.shortcut(x))
