"""Our batch norm and PyTorch's in the same state, and values for both."""

import torch
from torch import Tensor, nn

from models.batch_norm.layer import BatchNorm

SHAPES = [(6, 3), (2, 3), (4, 3, 5, 2), (1, 3, 4, 4), (2, 3, 1, 1)]


def random(shape: tuple[int, ...], dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """Values around 2 with a deviation of 3, far from what is already normalised."""
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed)) * 3 + 2


def reference(shape: tuple[int, ...], momentum: float = 0.1) -> nn.BatchNorm1d | nn.BatchNorm2d:
    """PyTorch's batch norm for `shape` with scale, shift and statistics that are not the initial ones."""
    theirs = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(shape[1], momentum=momentum).double()
    with torch.no_grad():
        theirs.weight.copy_(torch.linspace(0.5, 2, shape[1]))
        theirs.bias.copy_(torch.linspace(-1, 1, shape[1]))
        theirs.running_mean = torch.linspace(-2, 3, shape[1], dtype=torch.float64)
        theirs.running_var = torch.linspace(0.3, 4, shape[1], dtype=torch.float64)
    return theirs


def ours_like(theirs: nn.BatchNorm1d | nn.BatchNorm2d) -> BatchNorm:
    assert theirs.momentum is not None
    ours = BatchNorm(theirs.num_features, theirs.eps, theirs.momentum).to(theirs.weight.dtype)
    ours.load_state_dict(theirs.state_dict())
    return ours.train(theirs.training)


def assert_same_state(ours: nn.Module, theirs: nn.Module) -> None:
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))
