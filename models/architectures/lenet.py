"""LeNet with batch norm: small enough for fast tests, old enough to teach."""

from torch import Tensor, nn

from models.architectures.residual import NormLayer
from models.batch_norm.layer import BatchNorm


class LeNet(nn.Module):
    """Two rounds of convolution, batch norm, sigmoid and average pooling, then three linear layers.

    The second pooling always gives 4×4: at 28 px that is the 2×2 pooling of the original, and other sizes
    work too. Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998.

    Shapes: (N, in_channels, H, W) with H, W >= 16 to logits (N, num_classes).
    """

    def __init__(self, num_classes: int, in_channels: int = 3, norm_layer: NormLayer = BatchNorm) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, 5),
            norm_layer(6),
            nn.Sigmoid(),
            nn.AvgPool2d(2),
            nn.Conv2d(6, 16, 5),
            norm_layer(16),
            nn.Sigmoid(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
        )
        # BatchNorm2d refuses (N, C), and the feature-wise form is what these layers mean.
        norm_1d: NormLayer = nn.BatchNorm1d if norm_layer is nn.BatchNorm2d else norm_layer
        self.classifier = nn.Sequential(
            nn.Linear(16 * 4 * 4, 120),
            norm_1d(120),
            nn.Sigmoid(),
            nn.Linear(120, 84),
            norm_1d(84),
            nn.Sigmoid(),
            nn.Linear(84, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(images))
        return logits


def lenet(num_classes: int, in_channels: int = 3, norm_layer: NormLayer = BatchNorm) -> LeNet:
    """LeNet with batch norm, for images of about 28 px."""
    return LeNet(num_classes, in_channels, norm_layer)
