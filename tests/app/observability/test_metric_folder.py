"""Which worker is which process, and what remains of one that ended."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

from app.observability import metric_folder
from app.observability.metric_folder import FILE_BYTES, MetricFolder, ReservedValues, WorkerProcesses


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MetricFolder:
    """A folder that worker 3, which is this process, has joined."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setattr(values, "MmapedDict", MmapedDict)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "")
    folder = MetricFolder(tmp_path)
    folder.join(3)
    return folder


def test_a_worker_is_known_until_it_leaves(folder: MetricFolder) -> None:
    assert folder.process_ids() == {"3": str(os.getpid())}
    folder.leave(4)
    assert folder.process_ids() == {"3": str(os.getpid())}
    folder.leave(3)
    assert folder.process_ids() == {}


def test_leaving_forgets_gauges_and_keeps_counters(folder: MetricFolder) -> None:
    kept, forgotten = folder.path / "counter_3.db", folder.path / "gauge_livesum_3.db"
    of_another = folder.path / "gauge_livesum_33.db"
    for file in (kept, forgotten, of_another):
        file.touch()
    folder.leave(3)
    assert (kept.exists(), forgotten.exists(), of_another.exists()) == (True, False, True)


def test_processes_are_told_apart_by_their_worker(folder: MetricFolder) -> None:
    (folder.path / f"7.{os.getppid()}.pid").touch()
    described = {metric.name: metric.samples for metric in WorkerProcesses(folder).collect()}
    assert {"process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds"} <= set(described)
    memory = {sample.labels["worker"]: sample.value for sample in described["process_resident_memory_bytes"]}
    assert set(memory) == {"3", "7"}
    assert all(value > 0 for value in memory.values())


def test_a_process_that_just_ended_is_left_out(folder: MetricFolder) -> None:
    (folder.path / "7.999999999.pid").touch()
    described = {metric.name: metric.samples for metric in WorkerProcesses(folder).collect()}
    assert [sample.labels for sample in described["process_cpu_seconds"]] == [{"worker": "3"}]


@contextmanager
def _full_disk(folder: Path) -> Iterator[None]:
    """Mounts a small file system there, which is full inside. Skips the test where that may not be done."""
    folder.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a file system can be mounted by root only, and not in every container")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(folder: Path) -> None:
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass


COUNT = """
import sys
from pathlib import Path
from app.observability.metric_folder import MetricFolder
from app.observability.metrics import ServiceMetrics

folder = Path(sys.argv[1])
metrics = ServiceMetrics(MetricFolder(folder), 1)
print("joined", flush=True)
input()
for i in range(3000):
    metrics.request(f"/route/{i}", "GET", 200, 0.1)
    metrics.images(1, "name", str(i))
metrics.exposition()
print("alive", flush=True)
"""


@pytest.mark.parametrize("full", ["at the start", "later"])
def test_a_full_disk_ends_no_process_that_counts(tmp_path: Path, full: str) -> None:
    """The kernel ends a process that writes to a mapped page for which there is no room."""
    folder = tmp_path / "small"
    with _full_disk(folder):
        if full == "at the start":
            _fill(folder)
        with subprocess.Popen(
            [sys.executable, "-c", COUNT, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as counting:
            assert counting.stdin is not None
            assert counting.stdout is not None
            assert counting.stdout.readline() == "joined\n"
            if full == "later":
                _fill(folder)
            out, _ = counting.communicate("\n", timeout=120)
        assert (counting.returncode, out) == (0, "alive\n")


def test_the_room_of_a_file_is_on_disk_before_it_is_used(tmp_path: Path) -> None:
    file = tmp_path / "counter_1.db"
    written = ReservedValues(str(file))
    assert file.stat().st_blocks * 512 >= FILE_BYTES
    keys = [f"{i:0200}" for i in range(2 * FILE_BYTES // 200)]
    for i, key in enumerate(keys):
        written.write_value(key, i, 0.0)  # type: ignore[no-untyped-call]
    assert file.stat().st_blocks * 512 >= file.stat().st_size >= 2 * FILE_BYTES
    read = {key: value for key, value, *_ in MmapedDict.read_all_values_from_file(str(file))}  # type: ignore[no-untyped-call]
    assert read == dict(zip(keys, range(len(keys)), strict=True))
    written.close()  # type: ignore[no-untyped-call]


def test_what_has_no_room_is_counted_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "counter_1.db"
    written = ReservedValues(str(file))
    written.write_value("before", 1.0, 0.0)  # type: ignore[no-untyped-call]

    def refuse(_filename: str, _size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(metric_folder, "_reserve", refuse)
    keys = [f"{i:0200}" for i in range(2 * FILE_BYTES // 200)]
    for i, key in enumerate(keys):
        written.write_value(key, i, 0.0)  # type: ignore[no-untyped-call]
    assert [written.read_value(key)[0] for key in ("before", *keys)] == [1.0, *range(len(keys))]  # type: ignore[no-untyped-call]
    assert file.stat().st_size == FILE_BYTES
    in_memory = ReservedValues(str(tmp_path / "counter_2.db"))
    in_memory.write_value("a", 2.0, 0.0)  # type: ignore[no-untyped-call]
    assert in_memory.read_value("a")[0] == 2.0  # type: ignore[no-untyped-call]
    assert not (tmp_path / "counter_2.db").exists()
    for each in (written, in_memory):
        each.close()  # type: ignore[no-untyped-call]
