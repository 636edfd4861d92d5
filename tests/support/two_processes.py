"""Two processes that meet and compute together, forked from one that has imported PyTorch already."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path

import torch.distributed as dist
from torch.multiprocessing.spawn import start_processes

IMPORTED = "training.loop.train"


def in_two_processes(function: Callable[..., None], meeting: Path, *arguments: object) -> None:
    """Call `function(rank, *arguments)` in two processes that have met in the file `meeting`.

    An exception in one of them is raised here.
    """
    multiprocessing.set_forkserver_preload([IMPORTED])
    start_processes(  # type: ignore[no-untyped-call]
        _joined, (meeting, function, *arguments), nprocs=2, start_method="forkserver"
    )


def _joined(rank: int, meeting: Path, function: Callable[..., None], *arguments: object) -> None:
    dist.init_process_group("gloo", f"file://{meeting}", rank=rank, world_size=2)
    try:
        function(rank, *arguments)
    finally:
        dist.destroy_process_group()
