"""Several processes, on one machine or many, that train one network together: what torchrun starts.

    torchrun --nproc-per-node 4 -m training train --recipe resnet18-cifar10

Every process holds the whole network and the whole data set, takes its share of every batch, and averages
its gradients with the others' by `DistributedDataParallel`. (`nn.DataParallel`, its ancestor, drives all
devices from the threads of one process, and copies the network to each of them for every batch: slower, and
bound to one machine.)
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")

PATIENCE = timedelta(minutes=10)
"""Long enough for the slowest process to read its images while the others wait for it."""


class PeerLostError(RuntimeError):
    """Another process of the run has ended, and without it this one cannot go on."""


@dataclass(frozen=True)
class Processes:
    """This process among the `count` of its run; process 0 alone writes files and to the terminal."""

    rank: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """This process's part of a batch's first dimension, which `count` divides."""
        size = len(batch) // self.count
        return batch[self.rank * size : (self.rank + 1) * size]

    def wrap(self, model: nn.Module) -> nn.Module:
        """`model`, its gradients averaged over all processes after each backward pass."""
        if self.count == 1:
            return model
        return nn.parallel.DistributedDataParallel(model)

    def sum(self, value: Tensor) -> Tensor:
        """The sum of every process's `value`, in a new tensor."""
        total = value.clone()
        if self.count > 1:
            dist.all_reduce(total)
        return total

    def any(self, value: bool, device: torch.device) -> bool:
        """Whether any process says so: the same answer in all of them."""
        if self.count == 1:
            return value
        return bool(self.sum(torch.tensor(float(value), device=device)).item())

    def from_writer(self, value: T) -> T:
        """Process 0's `value`, in all of them."""
        if self.count == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]


ALONE = Processes()
"""One process, as without torchrun."""


@contextmanager
def detect_peer_loss() -> Iterator[None]:
    """Turn what a collective operation raises, once a process is gone, into `PeerLostError`."""
    try:
        yield
    except RuntimeError as error:
        if dist.is_initialized() and _is_of_the_network(error):
            raise PeerLostError("another process of this run has ended") from error
        raise


def _is_of_the_network(error: RuntimeError) -> bool:
    # Gloo raises plain RuntimeErrors, told apart by nothing but the place that they name.
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()


def local_rank() -> int:
    """The number of this process on its machine, which is the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextmanager
def joined(device: torch.device, patience: timedelta = PATIENCE) -> Iterator[Processes]:
    """Meet the other processes, where torchrun has started several; one alone needs no meeting.

    Another process that gives no answer for `patience` counts as lost. Processes that have met already, as
    Ray Train has them do, stay as they are.
    """
    if dist.is_initialized():
        yield Processes(dist.get_rank(), dist.get_world_size())
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=patience)
    try:
        yield Processes(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
