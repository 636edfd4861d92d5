import math
import os
from pathlib import Path

import pytest
import torch

from models import hardware
from models.hardware import cpu_flags, cpu_name, has_native_bfloat16, usable_cores, usable_memory


@pytest.mark.parametrize(("quota", "cores"), [(math.inf, 4), (2.0, 2), (1.5, 2), (0.1, 1), (9.0, 4)])
def test_cores_are_bounded_by_a_containers_quota(
    monkeypatch: pytest.MonkeyPatch, quota: float, cores: int
) -> None:
    monkeypatch.setattr(hardware, "cpu_quota", lambda: quota)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert usable_cores() == cores


def test_cores_are_counted_where_no_system_tells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "cpu_quota", lambda: math.inf)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert usable_cores() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_memory_is_the_machines_or_what_a_container_leaves_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}.__getitem__)
    monkeypatch.setattr(hardware, "memory_limit", lambda: math.inf)
    assert usable_memory() == 4_096_000
    monkeypatch.setattr(hardware, "memory_limit", lambda: 1_000_000.0)
    assert usable_memory() == 1_000_000
    monkeypatch.delattr(os, "sysconf")
    assert usable_memory() == 1_000_000


@pytest.mark.parametrize(
    ("flags", "native"), [("fpu avx512_bf16", True), ("amx_bf16", True), ("avx512_vnni", False), ("", False)]
)
def test_bfloat16_is_native_where_the_processor_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, native: bool
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nmodel name\t: Fast: CPU\nflags\t\t: {flags}\n")
    monkeypatch.setattr(hardware, "CPU_INFO", info)
    assert has_native_bfloat16(torch.device("cpu")) is native
    assert cpu_name() == "Fast: CPU"


def test_an_unknown_processor_has_no_name_and_no_flags(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hardware, "CPU_INFO", tmp_path / "absent")
    assert cpu_name() == ""
    assert cpu_flags() == frozenset()
