"""Batch norm over the batch of all processes together, as one process with the whole batch computes it."""

import torch
import torch.distributed as dist
from torch import Tensor, nn

from models.batch_norm.layer import BATCH_NORMS, BatchNorm


class SyncBatchNorm(BatchNorm):
    """`BatchNorm` whose batch statistics are those of all processes, each with as many images as the others.

    Mean first, then the variance around it, as with one process: two sums over the processes in each pass.
    The difference of mean square and squared mean would need but one, and lose digits. The gradients of scale
    and shift are those of this process's images, as everywhere before processes average their gradients.
    """

    def _processes(self) -> int:
        return dist.get_world_size()

    def _total(self, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total


def synchronise(model: nn.Module, device: torch.device) -> nn.Module:
    """Replace every batch norm in `model`, in place, by one over all processes, with the same state.

    On CUDA PyTorch's own, which is fused and computes nowhere else, takes the place of its `nn.BatchNorm1d`
    and `nn.BatchNorm2d`. One without a scale has ours there too: PyTorch's gives its shift no gradient.
    """
    for name, child in list(model.named_children()):
        if isinstance(child, BATCH_NORMS):
            model.add_module(name, _synchronised(child, device))
        else:
            synchronise(child, device)
    return model


def _synchronised(norm: nn.Module, device: torch.device) -> nn.Module:
    assert isinstance(norm, BATCH_NORMS)
    assert norm.running_mean is not None
    if device.type == "cuda" and not isinstance(norm, BatchNorm) and norm.weight is not None:
        fused: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(norm)  # type: ignore[no-untyped-call]
        return fused
    ours = SyncBatchNorm(norm.num_features, norm.eps, norm.momentum)
    ours.weight, ours.bias = norm.weight, norm.bias
    ours.load_state_dict(norm.state_dict())
    return ours.to(norm.running_mean.device, norm.running_mean.dtype).train(norm.training)
