"""Folding: one convolution that equals a convolution and its batch norm in eval mode."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from models.batch_norm.layer import BatchNorm, fold_batch_norm

Norm = BatchNorm | nn.BatchNorm2d


def trained_norm(channels: int, norm_layer: Callable[[int], Norm] = BatchNorm) -> Norm:
    """A batch norm in eval mode, in float64, whose state is not the initial one."""
    norm = norm_layer(channels).double()
    assert norm.running_mean is not None
    assert norm.running_var is not None
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(channels, generator=generator))
        norm.bias.copy_(torch.randn(channels, generator=generator))
        norm.running_mean.copy_(torch.randn(channels, generator=generator))
        norm.running_var.copy_(torch.rand(channels, generator=generator) + 0.01)
    return norm.eval()


def images(channels: int = 4, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(2, channels, 9, 7, generator=torch.Generator().manual_seed(2), dtype=dtype)


@pytest.mark.parametrize("norm_layer", [BatchNorm, nn.BatchNorm2d])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 1, "stride": 2},
        {"kernel_size": (3, 2), "stride": (1, 2), "padding": (0, 1)},
        {"kernel_size": 3, "dilation": 2, "padding": "same"},
        {"kernel_size": 3, "groups": 2},
        {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
    ],
    ids=str,
)
def test_the_folded_convolution_equals_both(
    options: dict[str, Any], bias: bool, norm_layer: Callable[[int], Norm]
) -> None:
    conv = nn.Conv2d(4, 6, bias=bias, **options).double().eval()
    norm = trained_norm(6, norm_layer)
    folded = fold_batch_norm(conv, norm)
    torch.testing.assert_close(folded(images()), norm(conv(images())))


def test_a_batch_norm_without_scale_and_shift_is_folded_too() -> None:
    conv = nn.Conv2d(4, 6, 3).double()
    norm = nn.BatchNorm2d(6, affine=False).double()
    norm(conv(images()))
    norm.eval()
    torch.testing.assert_close(fold_batch_norm(conv, norm)(images()), norm(conv(images())))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_the_result_has_the_convolutions_type_and_one_rounding(dtype: torch.dtype) -> None:
    conv = nn.Conv2d(4, 6, 3).double()
    norm = trained_norm(6)
    exact = fold_batch_norm(conv.to(dtype).double(), norm)
    folded = fold_batch_norm(conv.to(dtype), norm)
    assert folded.weight.dtype == dtype
    assert folded.bias is not None
    assert exact.bias is not None
    assert torch.equal(folded.weight, exact.weight.to(dtype))
    assert torch.equal(folded.bias, exact.bias.to(dtype))


def test_a_tiny_variance_does_not_blow_up_the_bias() -> None:
    conv = nn.Conv2d(4, 6, 3)
    norm = trained_norm(6).float()
    assert norm.running_var is not None
    norm.running_var.fill_(1e-12)
    torch.testing.assert_close(
        fold_batch_norm(conv, norm)(images(dtype=torch.float32)),
        norm(conv(images(dtype=torch.float32))),
        rtol=1e-4,
        atol=1e-3,
    )


def test_the_originals_stay_as_they_are() -> None:
    conv, norm = nn.Conv2d(4, 6, 3).double(), trained_norm(6)
    before = {**conv.state_dict(), **norm.state_dict()}
    before = {name: value.clone() for name, value in before.items()}
    folded = fold_batch_norm(conv, norm)
    with torch.no_grad():
        folded.weight.zero_()
    after = {**conv.state_dict(), **norm.state_dict()}
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_it_draws_no_random_numbers() -> None:
    conv, norm = nn.Conv2d(4, 6, 3), trained_norm(6)
    before = torch.get_rng_state()
    fold_batch_norm(conv, norm)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_convolutions_device_and_mode_are_kept() -> None:
    conv, norm = nn.Conv2d(4, 6, 3, device="meta"), trained_norm(6).to("meta")
    for training in (True, False):
        folded = fold_batch_norm(conv.train(training), norm)
        assert folded.weight.device.type == "meta"
        assert folded.training == training


def test_a_batch_norm_in_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="only a batch norm in eval mode can be folded"):
        fold_batch_norm(nn.Conv2d(4, 6, 3), BatchNorm(6))


def test_a_batch_norm_without_running_statistics_is_refused() -> None:
    with pytest.raises(ValueError, match="only a batch norm with running statistics can be folded"):
        fold_batch_norm(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6, track_running_stats=False).eval())


def test_another_number_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="the batch norm has 4 channels, the convolution 6"):
        fold_batch_norm(nn.Conv2d(4, 6, 3), BatchNorm(4).eval())
