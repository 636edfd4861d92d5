"""ResNet-18 from the residual block, with a stem for large and one for small images."""

from torch import Tensor, nn

from models.architectures.residual import NormLayer, Residual
from models.batch_norm.layer import BatchNorm


class Stem(nn.Sequential):
    """What comes before the residual blocks: (N, in_channels, H, W) to (N, 64, H', W')."""


class ResNet(nn.Module):
    """A stem, four stages of residual blocks (64, 128, 256, 512 channels), average pooling, one linear layer.

    Every stage but the first halves height and width.

    Shapes: (N, in_channels, H, W) to logits (N, num_classes).
    """

    WIDTHS = (64, 128, 256, 512)

    def __init__(
        self, stem: Stem, blocks_per_stage: tuple[int, ...], num_classes: int, norm_layer: NormLayer
    ) -> None:
        super().__init__()
        self.stem = stem
        stages: list[nn.Module] = []
        in_channels = self.WIDTHS[0]
        for width, blocks in zip(self.WIDTHS, blocks_per_stage, strict=True):
            stage: list[nn.Module] = []
            for block in range(blocks):
                stride = 2 if stages and block == 0 else 1
                stage.append(
                    Residual(
                        in_channels,
                        width,
                        stride,
                        use_1x1conv=stride != 1 or in_channels != width,
                        norm_layer=norm_layer,
                    )
                )
                in_channels = width
            stages.append(nn.Sequential(*stage))
        self.stages = nn.Sequential(*stages)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.flatten(self.pool(self.stages(self.stem(images)))))
        return logits


def resnet18(num_classes: int, in_channels: int = 3, norm_layer: NormLayer = BatchNorm) -> ResNet:
    """ResNet-18 with the 7×7 stem, stride 2, and max-pooling: for images of about 224 px."""
    stem = Stem(
        nn.Conv2d(in_channels, 64, 7, stride=2, padding=3, bias=False),
        norm_layer(64),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )
    return ResNet(stem, (2, 2, 2, 2), num_classes, norm_layer)


def resnet18_3x3(num_classes: int, in_channels: int = 3, norm_layer: NormLayer = BatchNorm) -> ResNet:
    """ResNet-18 with a 3×3 stem, stride 1, and no max-pooling: for images of about 32 px."""
    stem = Stem(
        nn.Conv2d(in_channels, 64, 3, padding=1, bias=False),
        norm_layer(64),
        nn.ReLU(),
    )
    return ResNet(stem, (2, 2, 2, 2), num_classes, norm_layer)
