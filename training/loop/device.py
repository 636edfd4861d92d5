"""Which device a run uses, how it computes there, and what it is called."""

import platform
from contextlib import AbstractContextManager
from typing import Literal

import torch

from models.hardware import cpu_name, has_native_bfloat16
from training.loop.distributed import local_rank

Precision = Literal["auto", "float32", "bfloat16"]


def select_device(name: str) -> torch.device:
    """`auto` is CUDA where there is one; of several processes on a machine each takes a device of its own.

    Raises `ValueError` for CUDA without a device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device: no CUDA device was found; use --device cpu, or auto")
    return torch.device("cuda", local_rank()) if name == "cuda" else torch.device(name)


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """What `auto` means on `device`: bfloat16 where the hardware computes it, for emulated it is slower."""
    if precision == "auto":
        return torch.bfloat16 if has_native_bfloat16(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Compute inside in `dtype` where that is sound; float32 turns it off."""
    return torch.autocast(device.type, dtype, enabled=dtype != torch.float32)


def describe_hardware(device: torch.device) -> str:
    """One line for logs and model cards, such as "Intel Xeon, 2 threads"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{cpu_name() or platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
