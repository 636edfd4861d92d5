import os
from pathlib import Path

import pytest
import torch

from models import hardware
from models.hardware import cpu_flags, cpu_name, has_native_bfloat16, memory_limit, usable_cores


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        ("max 100000", 4),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("900000 100000", 4),
    ],
)
def test_cores_are_bounded_by_a_containers_quota(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, cores: int
) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota + "\n")
    monkeypatch.setattr(hardware, "CPU_QUOTA", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert usable_cores() == cores


def test_cores_are_counted_where_no_system_tells_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(hardware, "CPU_QUOTA", tmp_path / "absent")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert usable_cores() == 3
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


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


@pytest.mark.parametrize(
    ("text", "limited"), [("1073741824\n", True), ("max\n", False), (f"{1 << 62}\n", False)]
)
def test_memory_is_bounded_by_a_containers_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, limited: bool
) -> None:
    monkeypatch.setattr(hardware, "MEMORY_LIMITS", (tmp_path / "absent", tmp_path / "memory.max"))
    (tmp_path / "memory.max").write_text(text)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1 << 20}.__getitem__)
    assert memory_limit() == (1 << 30 if limited else 1 << 32)
