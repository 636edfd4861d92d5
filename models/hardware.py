"""What the processor offers, read where Linux tells it; other systems get the safe answer."""

import ctypes
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from models.cgroup import cpu_quota, memory_limit

if TYPE_CHECKING:
    import torch

CPU_INFO = Path("/proc/cpuinfo")


def usable_cores() -> int:
    """The processor cores this process may use: its affinity and, in a container, its quota; at least 1.

    A library that counts the machine's cores starts 64 threads in a container that may use two of them.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, cpu_quota())))


def usable_memory() -> float:
    """Bytes of memory this process may use: the machine's and, in a container, its limit.

    Infinite where neither is told.
    """
    try:
        memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # not on this system
        memory = math.inf
    return min(memory, memory_limit())


def has_cuda_device() -> bool:
    """Whether NVIDIA's driver is there and finds a GPU that this process may see; asked without PyTorch."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int()
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def has_native_bfloat16(device: "torch.device") -> bool:
    """Whether the hardware computes in bfloat16 itself; emulated it is slower than float32."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return not cpu_flags().isdisjoint({"avx512_bf16", "amx_bf16"})


def cpu_flags() -> frozenset[str]:
    """The processor's instruction sets, such as `avx512_vnni`."""
    return frozenset(_cpu_field("flags").split())


def cpu_name() -> str:
    """The processor's model, or an empty text where it is not told."""
    return _cpu_field("model name")


def _cpu_field(name: str) -> str:
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""
