"""Batch norm over two processes equals batch norm over the whole batch, in both directions."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from models import create_model
from models.batch_norm.layer import BATCH_NORMS, BatchNorm
from tests.support.two_processes import in_two_processes
from training.loop.distributed import Processes
from training.loop.sync_batch_norm import SyncBatchNorm, synchronise

CPU = torch.device("cpu")
CUDA = torch.device("cuda")  # which norms it has is decided without one


def _case(norm_layer: type[BatchNorm] | type[nn.BatchNorm2d]) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    norm = norm_layer(4)
    nn.init.normal_(norm.weight)
    model = nn.Sequential(nn.Conv2d(3, 4, 1), norm).double()
    return model, torch.randn(6, 3, 5, 5).double(), torch.randn(6, 4, 5, 5).double()


def _compute(model: nn.Module, images: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    images = images.clone().requires_grad_()
    output = model(images)
    (output * weights).sum().backward()
    assert images.grad is not None
    return output.detach(), images.grad


def _in_one_of_two(rank: int) -> None:
    torch.set_num_threads(1)
    processes = Processes(rank, 2)
    for norm_layer in (BatchNorm, nn.BatchNorm2d):
        model, images, weights = _case(norm_layer)
        whole, gradient = _compute(model, images, weights)
        again, _, _ = _case(norm_layer)
        shared = synchronise(again, CPU)
        share, shared_gradient = _compute(shared, processes.share(images), processes.share(weights))
        torch.testing.assert_close(share, processes.share(whole))
        torch.testing.assert_close(shared_gradient, processes.share(gradient))
        for ours, theirs in zip(shared.parameters(), model.parameters(), strict=True):
            assert ours.grad is not None
            torch.testing.assert_close(processes.sum(ours.grad), theirs.grad)
        torch.testing.assert_close(dict(shared.named_buffers()), dict(model.named_buffers()))


def test_two_halves_are_normalised_as_one_batch(tmp_path: Path) -> None:
    in_two_processes(_in_one_of_two, tmp_path / "meeting")


def test_everything_else_of_a_batch_norm_is_kept() -> None:
    norm = BatchNorm(3, eps=1e-3, momentum=0.4)
    norm(torch.randn(5, 3))
    norm.weight = None  # type: ignore[assignment]
    model = nn.Sequential(nn.Sequential(norm)).eval()
    ours = next(each for each in synchronise(model, CPU).modules() if isinstance(each, BatchNorm))
    assert isinstance(ours, SyncBatchNorm)
    assert (ours.eps, ours.momentum, ours.training) == (1e-3, 0.4, False)
    assert "weight" not in dict(ours.named_parameters())
    assert ours.bias is norm.bias
    torch.testing.assert_close(ours.state_dict(), norm.state_dict())


@pytest.mark.parametrize("norm_layer", [nn.BatchNorm1d, nn.BatchNorm2d])
def test_on_cuda_pytorchs_own_keeps_everything_too(
    norm_layer: type[nn.BatchNorm1d] | type[nn.BatchNorm2d],
) -> None:
    norm = norm_layer(3, eps=1e-3, momentum=0.4).eval()
    (fused,) = synchronise(nn.Sequential(norm), CUDA).children()
    assert type(fused) is nn.SyncBatchNorm
    assert (fused.eps, fused.momentum, fused.training) == (1e-3, 0.4, False)
    assert fused.weight is norm.weight
    torch.testing.assert_close(fused.state_dict(), norm.state_dict())


def test_on_cuda_a_norm_without_a_scale_has_ours() -> None:
    """PyTorch's `SyncBatchNorm` gives a shift no gradient where there is no scale."""
    model = synchronise(create_model("airbench94", 3, norm_layer=nn.BatchNorm2d), CUDA)
    kinds = {type(module) for module in model.modules() if isinstance(module, BATCH_NORMS)}
    assert kinds == {SyncBatchNorm}
