"""Which worker is which process, and what remains of one that ended."""

import os
from pathlib import Path

import pytest
from prometheus_client import values

from app.observability.metric_folder import MetricFolder, WorkerProcesses


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MetricFolder:
    """A folder that worker 3, which is this process, has joined."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
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
