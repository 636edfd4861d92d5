"""The network of airbench, made to train fast: a whitened stem, three wide groups, maxima in place of means.

Source: Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, https://arxiv.org/abs/2404.00498.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from models.architectures.residual import NormLayer
from models.batch_norm.layer import BatchNorm

MOMENTUM = 0.4
"""Of the running statistics, the weight of the new one: a short run has few batches to learn them from."""
LOGIT_SCALE = 1 / 9
"""The classifier's input is not normalised; unscaled, its logits would be far too large at first."""


class WhiteningStem(nn.Sequential):
    """A 2×2 convolution with a filter and its negative for every value of a patch, then GELU.

    It is meant to be set by `training.loop.whitening`. Its bias is trained.

    Shapes: (N, in_channels, H, W) to (N, 8 * in_channels, H - 1, W - 1).
    """

    def __init__(self, in_channels: int) -> None:
        self.out_channels = 2 * in_channels * 2 * 2
        super().__init__(nn.Conv2d(in_channels, self.out_channels, 2), nn.GELU())


class ConvGroup(nn.Module):
    """Two or three 3×3 convolutions with batch norm and GELU, the first followed by 2×2 maximum pooling.

    Where there are three, the result of the first is added before the last GELU. Batch norm has a shift but
    no scale.

    Shapes: (N, in_channels, H, W) with H, W >= 2 to (N, out_channels, H // 2, W // 2). Raises `ValueError`
    for another number of convolutions.
    """

    def __init__(
        self, in_channels: int, out_channels: int, convolutions: int, norm_layer: NormLayer = BatchNorm
    ) -> None:
        super().__init__()
        if convolutions not in (2, 3):
            raise ValueError(f"convolutions must be 2 or 3, got {convolutions}")
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.bn1 = _without_scale(norm_layer(out_channels))
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = _without_scale(norm_layer(out_channels))
        self.conv3: nn.Module | None = None
        if convolutions == 3:
            self.conv3 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
            self.bn3 = _without_scale(norm_layer(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.bn1(self.pool(self.conv1(x))))
        y = F.gelu(self.bn2(self.conv2(x)))
        if self.conv3 is None:
            return y
        return F.gelu(self.bn3(self.conv3(y)) + x)


class Airbench(nn.Module):
    """The stem, three groups of `widths` channels, the maximum over all places, one linear layer.

    Shapes: (N, in_channels, H, W) with H, W >= 9 to logits (N, num_classes).
    """

    def __init__(
        self,
        widths: tuple[int, int, int],
        convolutions: int,
        num_classes: int,
        in_channels: int = 3,
        norm_layer: NormLayer = BatchNorm,
    ) -> None:
        super().__init__()
        self.stem = WhiteningStem(in_channels)
        inputs = (self.stem.out_channels, *widths)
        self.groups = nn.Sequential(
            *(
                ConvGroup(before, width, convolutions, norm_layer)
                for before, width in zip(inputs, widths, strict=False)
            )
        )
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(widths[-1], num_classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        features = self.flatten(self.pool(self.groups(self.stem(images))))
        # Before the classifier and not after it: scores of unfamiliarity take its output to be the logits.
        logits: Tensor = self.classifier(features * LOGIT_SCALE)
        return logits


def airbench94(num_classes: int, in_channels: int = 3, norm_layer: NormLayer = BatchNorm) -> Airbench:
    """The small one, 2.0 M parameters: for images of about 32 px."""
    return Airbench((64, 256, 256), 2, num_classes, in_channels, norm_layer)


def airbench96(num_classes: int, in_channels: int = 3, norm_layer: NormLayer = BatchNorm) -> Airbench:
    """The large one, with three convolutions a group: for images of about 32 px.

    The second group is wider than the paper's, 512 channels in place of 384.
    """
    return Airbench((128, 512, 512), 3, num_classes, in_channels, norm_layer)


def _without_scale(norm: nn.Module) -> nn.Module:
    norm.register_parameter("weight", None)
    setattr(norm, "momentum", MOMENTUM)  # noqa: B010 (a plain assignment has no type for an nn.Module)
    return norm
