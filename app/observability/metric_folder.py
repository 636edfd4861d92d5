"""The folder through which worker processes add up their metrics."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from prometheus_client import ProcessCollector, values
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import mark_process_dead
from prometheus_client.registry import Collector


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
        (self.path / f"{worker}.{os.getpid()}.pid").touch()
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
