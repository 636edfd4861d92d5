import errno
import os

import pytest
import torch

from models.artifact.store import ArtifactError
from training.data.cifar10 import DataError
from training.failures import explain
from training.loop.train import TrainingError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (DataError("no data"), "no data"),
        (ArtifactError("two\n  lines"), "two lines"),
        (TrainingError("the loss is no longer finite"), "the loss is no longer finite"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run/training.png"),
            "run/training.png: No space left on device: make room, or write elsewhere",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/out"), "/out: Permission denied"),
        (OSError("no number"), "no number"),
        (torch.OutOfMemoryError("CUDA out of memory"), "there is not enough memory: CUDA out of memory"),
        (MemoryError(), "there is not enough memory"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "there is not enough memory: DefaultCPUAllocator: can't allocate memory",
        ),
    ],
)
def test_what_may_happen_is_one_line(error: Exception, line: str) -> None:
    assert explain(error) == line


def test_a_fault_of_the_program_is_not_hidden() -> None:
    assert explain(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None
