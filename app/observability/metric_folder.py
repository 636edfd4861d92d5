"""The folder through which worker processes add up their metrics."""

import logging
import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prometheus_client import ProcessCollector, values
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.registry import Collector

FILE_BYTES = 65_536
"""Of a file of values at first; it doubles when it is full."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class MetricFolder:
    """One file of values per worker and kind of metric, and one named after the worker's process id.

    A worker is known by its number and not by its process id: the process that replaces one that died goes on
    counting in the same files. So no counter ever goes backwards, and the folder does not grow.
    """

    path: Path

    def join(self, worker: int) -> None:
        """Have all metrics that this process creates from now on kept here, as those of `worker`, from 0 up.

        The process that had this number before must have ended.
        """
        try:
            (self.path / f"{worker}.{os.getpid()}.pid").touch()
        except OSError as error:
            logger.warning("the process_ metrics of worker %d are missing: %s", worker, error)
        values.MmapedDict = ReservedValues  # type: ignore[attr-defined]
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(self.path)
        values.ValueClass = values.MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call]

    def leave(self, worker: int) -> None:
        """Forget what was true of a process that has ended; what it counted stays."""
        mark_process_dead(worker, str(self.path))  # type: ignore[no-untyped-call]
        for file in self.path.glob(f"{worker}.*.pid"):
            file.unlink()

    def process_ids(self) -> dict[str, str]:
        """The process id of each worker, by the worker's number."""
        return dict(file.stem.split(".") for file in sorted(self.path.glob("*.pid")))


class ReservedValues(MmapedDict):
    """A file of values whose room on disk is reserved before it is mapped.

    A file that only has its length gets room when a page of it is first written to, and where the disk is
    full by then the kernel ends the process (SIGBUS). Without room, values are kept in memory: the process
    counts on, and what others read of it stays as it was.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode and not Path(filename).exists():
            try:
                _create(filename)
            except OSError as error:
                logger.warning("%s: %s; this process counts for itself", filename, error.strerror)
                filename = _in_memory()
        super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        # The most that an entry takes: the key, padding, its length and two numbers.
        size = len(key.encode()) + 32
        if self._used + size > self._capacity:
            try:
                _reserve(self._f.name, 2 * self._capacity)
            except OSError as error:
                self._move_to_memory(error)
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _move_to_memory(self, error: OSError) -> None:
        logger.warning("%s: %s; this process counts for itself", self._f.name, error.strerror)
        before = bytes(self._m)
        self.close()  # type: ignore[no-untyped-call]
        self._f = Path(_in_memory()).open("a+b")  # noqa: SIM115 - as long as the process lives
        self._f.write(before)
        self._f.flush()
        self._m = mmap.mmap(self._f.fileno(), self._capacity)


def _in_memory() -> str:
    """The name of a file that is on no disk."""
    return f"/proc/self/fd/{os.memfd_create('values')}"


def _create(filename: str) -> None:
    """Make a file of `FILE_BYTES` zeros, which nobody ever sees without its room. Raises `OSError`."""
    file = Path(filename)
    fresh = file.with_suffix(".new")
    try:
        fresh.touch()
        _reserve(str(fresh), FILE_BYTES)
        fresh.replace(file)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _reserve(filename: str, size: int) -> None:
    """Have `size` bytes of the file on disk. Raises `OSError`, and then the file is as it was."""
    with Path(filename).open("r+b") as file:
        before = os.fstat(file.fileno()).st_size
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError:
            file.truncate(before)
            raise


class WorkerProcesses(Collector):
    """The usual `process_` metrics of every worker, told apart by the label `worker`."""

    def __init__(self, folder: MetricFolder) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, Metric] = {}
        for worker, process_id in self._folder.process_ids().items():
            of_one = ProcessCollector(pid=partial(str, process_id), registry=None)
            for metric in of_one.collect():
                family = merged.setdefault(
                    metric.name, Metric(metric.name, metric.documentation, metric.type)
                )
                for sample in metric.samples:
                    family.add_sample(sample.name, {"worker": worker}, sample.value)
        return merged.values()
