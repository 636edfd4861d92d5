"""The residual block against its formula written out with PyTorch's functions."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.architectures.residual import Residual
from models.batch_norm.layer import BatchNorm


def images(channels: int, height: int = 9, width: int = 7) -> Tensor:
    return torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(0))


def norm(x: Tensor, layer: nn.Module) -> Tensor:
    """The layer in training mode, by PyTorch's function."""
    return F.batch_norm(
        x, None, None, layer.get_parameter("weight"), layer.get_parameter("bias"), training=True
    )


def randomise(block: Residual) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))


def test_with_the_identity_it_adds_its_input() -> None:
    block = Residual(4, 4)
    randomise(block)
    x = images(4)
    y = F.relu(norm(F.conv2d(x, block.conv1.weight, padding=1), block.bn1))
    y = norm(F.conv2d(y, block.conv2.weight, padding=1), block.bn2)
    torch.testing.assert_close(block(x), F.relu(y + x))


@pytest.mark.parametrize(("out_channels", "stride"), [(4, 1), (6, 1), (6, 2), (4, 2), (6, 3)])
def test_with_the_1x1_convolution_it_adds_its_normalised_output(out_channels: int, stride: int) -> None:
    block = Residual(4, out_channels, stride, use_1x1conv=True)
    randomise(block)
    x = images(4)
    y = F.relu(norm(F.conv2d(x, block.conv1.weight, stride=stride, padding=1), block.bn1))
    y = norm(F.conv2d(y, block.conv2.weight, padding=1), block.bn2)
    assert isinstance(block.shortcut, nn.Sequential)
    shortcut = norm(F.conv2d(x, block.get_parameter("shortcut.0.weight"), stride=stride), block.shortcut[1])
    torch.testing.assert_close(block(x), F.relu(y + shortcut))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 7), (1, 2)])
def test_height_and_width_are_divided_by_the_stride_and_rounded_up(
    stride: int, height: int, width: int
) -> None:
    block = Residual(3, 5, stride, use_1x1conv=True)
    assert block(images(3, height, width)).shape == (2, 5, -(-height // stride), -(-width // stride))


def test_a_block_whose_branch_is_0_passes_on_what_is_positive() -> None:
    """What makes deep networks trainable: the identity is there from the start."""
    block = Residual(4, 4)
    nn.init.zeros_(block.get_parameter("bn2.weight"))
    torch.testing.assert_close(block(images(4)), F.relu(images(4)))


@pytest.mark.parametrize(("out_channels", "stride"), [(6, 1), (4, 2)])
def test_an_identity_that_cannot_match_is_refused(out_channels: int, stride: int) -> None:
    with pytest.raises(
        ValueError,
        match=f"use_1x1conv is needed to go from 4 to {out_channels} channels with stride {stride}",
    ):
        Residual(4, out_channels, stride)


@pytest.mark.parametrize("norm_layer", [BatchNorm, nn.BatchNorm2d])
def test_all_its_batch_norms_are_of_the_kind_asked_for(norm_layer: Callable[[int], nn.Module]) -> None:
    block = Residual(4, 6, use_1x1conv=True, norm_layer=norm_layer)
    assert [type(m) for m in block.modules() if isinstance(m, BatchNorm | nn.BatchNorm2d)] == [norm_layer] * 3
