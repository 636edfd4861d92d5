from pathlib import Path

import pytest
import torch

from models import hardware
from training.loop.device import autocast, describe_hardware, resolve_precision, select_device

CPU = torch.device("cpu")


def test_a_named_device_is_taken_and_auto_finds_one() -> None:
    assert select_device("cpu") == CPU
    assert select_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_without_a_device_is_refused() -> None:
    with pytest.raises(ValueError, match="device: no CUDA device was found; use --device cpu, or auto"):
        select_device("cuda")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("avx2 avx512_bf16", torch.bfloat16),
        ("amx_bf16", torch.bfloat16),
        ("avx512f avx512_vnni", torch.float32),
    ],
)
def test_auto_precision_follows_the_processor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, flags: str, expected: torch.dtype
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\nmodel name\t: Fast CPU\nflags\t\t: fpu {flags}\n")
    monkeypatch.setattr(hardware, "CPU_INFO", info)
    assert resolve_precision("auto", CPU) == expected
    assert resolve_precision("float32", CPU) == torch.float32
    assert resolve_precision("bfloat16", CPU) == torch.bfloat16
    assert describe_hardware(CPU).startswith("Fast CPU, ")


def test_without_cpuinfo_there_is_still_a_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hardware, "CPU_INFO", tmp_path / "absent")
    assert "threads" in describe_hardware(CPU)
    assert resolve_precision("auto", CPU) == torch.float32


def test_autocast_computes_in_the_type_asked_for() -> None:
    a = torch.ones(2, 2)
    with autocast(CPU, torch.bfloat16):
        assert (a @ a).dtype == torch.bfloat16
    with autocast(CPU, torch.float32):
        assert (a @ a).dtype == torch.float32
