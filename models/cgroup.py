"""What a container may use, read from Linux's control groups, both versions of them.

A group's limit holds for all groups below it, so the least one on the way to the root counts. Inside a
container the path that the kernel tells may be the host's; what is absent below the mount is passed over, and
the mount's own root is then the container's group.

Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html (`cpu.max`, `memory.max`) and
https://docs.kernel.org/admin-guide/cgroup-v1/ (`cpu.cfs_quota_us`, `memory.limit_in_bytes`).
"""

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MOUNT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def cpu_quota() -> float:
    """Processor cores that may be used at once on average, infinite where nothing limits them."""
    return min((_cpu_quota_of(group) for group in _groups("cpu")), default=math.inf)


def memory_limit() -> float:
    """Bytes of memory that may be used, infinite where nothing limits them."""
    return min((_memory_limit_of(group) for group in _groups("memory")), default=math.inf)


def _groups(controller: str) -> Iterator[Path]:
    """The folders of this process's groups for `controller`, the mounts' roots included."""
    yield from (MOUNT, MOUNT / controller)
    for line in _text(MEMBERSHIP).splitlines():
        controllers, path = [*line.split(":", 2), "", ""][1:3]
        # Version 2 names no controllers; version 1 mounts those of one line together.
        if controllers and controller not in controllers.split(","):
            continue
        root = MOUNT / controllers if controllers else MOUNT
        group = PurePosixPath(path.lstrip("/"))
        yield from (root / each for each in (group, *group.parents))


def _cpu_quota_of(group: Path) -> float:
    granted, _, period = _text(group / "cpu.max").partition(" ")
    if not period:
        granted, period = (_text(group / f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    try:
        # No quota is "max" in version 2 and -1 in version 1.
        return int(granted) / int(period) if int(granted) > 0 else math.inf
    except (ValueError, ZeroDivisionError):
        return math.inf


def _memory_limit_of(group: Path) -> float:
    text = _text(group / "memory.max") or _text(group / "memory.limit_in_bytes")
    try:
        return int(text)
    except ValueError:  # absent, or "max" for no limit
        return math.inf


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
