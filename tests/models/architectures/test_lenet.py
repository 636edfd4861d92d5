"""LeNet: its layers, and the two kinds of batch norm in it."""

import pytest
import torch
from torch import nn

from models.architectures.lenet import lenet
from models.batch_norm.layer import BatchNorm


@pytest.mark.parametrize("in_channels", [1, 3])
@pytest.mark.parametrize("size", [16, 28, 32, 45])
def test_images_of_16_px_and_more_give_logits(in_channels: int, size: int) -> None:
    assert lenet(7, in_channels)(torch.rand(2, in_channels, size, size)).shape == (2, 7)


def test_smaller_images_are_refused() -> None:
    with pytest.raises(RuntimeError, match="Kernel size can't be greater than actual input size"):
        lenet(10)(torch.rand(2, 3, 15, 9))


def test_at_28_px_it_is_the_lessons_network() -> None:
    """There the second pooling is the 2×2 average of the original."""
    model = lenet(10, in_channels=1).eval()
    original = nn.Sequential(*model.features[:7], nn.AvgPool2d(2), nn.Flatten(), model.classifier)
    images = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(model(images), original(images))


def test_our_batch_norm_gives_the_logits_of_pytorchs() -> None:
    ours, theirs = lenet(10), lenet(10, norm_layer=nn.BatchNorm2d)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    images = torch.randn(8, 3, 16, 16)
    for training in (True, False):
        torch.testing.assert_close(ours.train(training)(images), theirs.train(training)(images))
    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)


def test_pytorchs_batch_norms_are_those_for_images_and_for_features() -> None:
    """Ours takes both shapes."""
    norms = (BatchNorm, nn.BatchNorm1d, nn.BatchNorm2d)
    kinds = [type(m) for m in lenet(10, norm_layer=nn.BatchNorm2d).modules() if isinstance(m, norms)]
    assert kinds == [nn.BatchNorm2d, nn.BatchNorm2d, nn.BatchNorm1d, nn.BatchNorm1d]
    assert [type(m) for m in lenet(10).modules() if isinstance(m, norms)] == [BatchNorm] * 4
