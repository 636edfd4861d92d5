"""Our batch norm in half precision, on other devices, in other layouts, copied, and moved to PyTorch."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from models.batch_norm.layer import BatchNorm
from tests.support.batch_norm_layers import assert_same_state, ours_like, random, reference


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(16, 3), (4, 3, 5, 2)])
def test_half_precision_is_normalised_in_float32_as_by_pytorch(
    shape: tuple[int, ...], training: bool, dtype: torch.dtype
) -> None:
    theirs = reference(shape).float().train(training)
    ours = ours_like(theirs)
    batch = random(shape, dtype)
    result = ours(batch)
    assert result.dtype == dtype
    # Both round a float32 value once, so they may differ by one step of the half type, and around 0 by what
    # float32 leaves of a difference of nearly equal numbers.
    torch.testing.assert_close(result, theirs(batch), rtol=2 * torch.finfo(dtype).eps, atol=1e-5)
    assert ours.running_mean.dtype == torch.float32
    assert_same_state(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_half_precision_values_do_not_overflow(dtype: torch.dtype) -> None:
    """The square of 1000 is beyond float16."""
    norm = BatchNorm(1)
    result = norm(torch.tensor([[-1000.0], [1000.0]], dtype=dtype))
    assert result.flatten().tolist() == [-1, 1]
    torch.testing.assert_close(norm.running_var, torch.tensor([0.9 + 0.1 * 2e6]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_module_itself_can_be_moved_to_another_type(dtype: torch.dtype) -> None:
    norm = ours_like(reference((4, 3)).float()).to(dtype)
    assert norm.num_batches_tracked.dtype == torch.long
    batch = random((4, 3), dtype)
    for training in (True, False):
        assert norm.train(training)(batch).dtype == dtype
    assert norm.running_mean.dtype == norm.running_var.dtype == norm.weight.dtype == dtype


@pytest.mark.parametrize("make", [nn.BatchNorm1d, nn.BatchNorm2d])
def test_the_state_dict_goes_to_pytorch_and_back(
    make: Callable[[int], nn.BatchNorm1d | nn.BatchNorm2d],
) -> None:
    shape = (4, 3) if make is nn.BatchNorm1d else (4, 3, 2, 2)
    ours = ours_like(reference(shape)).float()
    ours(random(shape, torch.float32))

    theirs = make(3)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    assert_same_state(theirs, ours)
    theirs(random(shape, torch.float32, seed=1))

    again = BatchNorm(3)
    again.load_state_dict(theirs.state_dict(), strict=True)
    assert_same_state(again, theirs)
    assert int(again.num_batches_tracked) == 2


def test_a_copy_shares_no_statistics() -> None:
    norm = BatchNorm(3)
    copied = copy.deepcopy(norm)
    norm(random((4, 3), torch.float32))
    assert int(copied.num_batches_tracked) == 0
    assert torch.equal(copied.running_mean, torch.zeros(3))


def test_everything_moves_to_another_device() -> None:
    """The meta device is a device that every machine has; it holds shapes only."""
    norm = BatchNorm(3).to("meta")
    assert {value.device.type for value in norm.state_dict().values()} == {"meta"}
    for training in (True, False):
        assert norm.train(training)(torch.empty(4, 3, 2, 2, device="meta")).shape == (4, 3, 2, 2)
    assert {value.device.type for value in norm.state_dict().values()} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("training", [True, False])
def test_on_a_gpu_results_equal_those_on_the_cpu(training: bool) -> None:
    on_cpu = ours_like(reference((4, 3, 5, 2)).train(training))
    on_gpu = copy.deepcopy(on_cpu).cuda()
    batch = random((4, 3, 5, 2))
    torch.testing.assert_close(on_gpu(batch.cuda()).cpu(), on_cpu(batch))
    assert_same_state(on_gpu.cpu(), on_cpu)


def test_channels_last_gives_the_same_and_stays_channels_last() -> None:
    norm = ours_like(reference((2, 3, 4, 4))).eval()
    batch = random((2, 3, 4, 4))
    result = norm(batch.to(memory_format=torch.channels_last))
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result, norm(batch))
