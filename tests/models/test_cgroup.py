import math
from pathlib import Path

import pytest

from models import cgroup
from models.cgroup import cpu_quota, memory_limit

UNLIMITED_V1 = str(2**63 - 4096)
"""What version 1 says where there is no limit."""


def system(monkeypatch: pytest.MonkeyPatch, folder: Path, membership: str, files: dict[str, str]) -> None:
    """A system with these cgroup `files`, of which `membership` is what the kernel tells of this process."""
    monkeypatch.setattr(cgroup, "MOUNT", folder / "mount")
    monkeypatch.setattr(cgroup, "MEMBERSHIP", folder / "membership")
    (folder / "membership").write_text(membership)
    for name, content in files.items():
        file = folder / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n")


@pytest.mark.parametrize(
    ("written", "cores"),
    [("max 100000", math.inf), ("200000 100000", 2), ("150000 100000", 1.5), ("nonsense", math.inf)],
)
def test_the_quota_of_version_2(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str, cores: float
) -> None:
    system(monkeypatch, tmp_path, "0::/\n", {"cpu.max": written})
    assert cpu_quota() == cores


@pytest.mark.parametrize(
    ("quota", "cores"), [("-1", math.inf), ("250000", 2.5), ("0", math.inf), ("nonsense", math.inf)]
)
def test_the_quota_of_version_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str, cores: float
) -> None:
    files = {
        "cpu,cpuacct/docker/cpu.cfs_quota_us": quota,
        "cpu,cpuacct/docker/cpu.cfs_period_us": "100000",
    }
    system(monkeypatch, tmp_path, "4:memory:/\n3:cpu,cpuacct:/docker\n", files)
    assert cpu_quota() == cores


def test_a_container_that_is_told_the_hosts_path_finds_its_own_group(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = {
        "cpu/cpu.cfs_quota_us": "100000",
        "cpu/cpu.cfs_period_us": "50000",
        "memory/memory.limit_in_bytes": "1000000",
    }
    system(monkeypatch, tmp_path, "4:memory:/docker/8ab3\n3:cpu,cpuacct:/docker/8ab3\n", files)
    assert cpu_quota() == 2
    assert memory_limit() == 1_000_000


def test_the_least_limit_on_the_way_to_the_root_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = {
        "pod/memory.max": "2000000",
        "pod/one/memory.max": "max",
        "pod/cpu.max": "max 100000",
        "pod/one/cpu.max": "50000 100000",
        "elsewhere/memory.max": "1",
    }
    system(monkeypatch, tmp_path, "0::/pod/one\n", files)
    assert memory_limit() == 2_000_000
    assert cpu_quota() == 0.5


@pytest.mark.parametrize(
    ("membership", "files", "limit"),
    [
        ("0::/\n", {"memory.max": "max"}, math.inf),
        ("0::/\n", {"memory.max": "536870912"}, 2**29),
        ("2:memory:/x\n", {"memory/x/memory.limit_in_bytes": UNLIMITED_V1}, 2**63 - 4096),
        ("2:memory:/x\n", {"memory/x/memory.limit_in_bytes": "536870912"}, 2**29),
    ],
)
def test_the_memory_limit_of_both_versions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, membership: str, files: dict[str, str], limit: float
) -> None:
    system(monkeypatch, tmp_path, membership, files)
    assert memory_limit() == limit


def test_without_control_groups_nothing_is_limited(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cgroup, "MOUNT", tmp_path / "absent")
    monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "absent")
    assert (cpu_quota(), memory_limit()) == (math.inf, math.inf)
