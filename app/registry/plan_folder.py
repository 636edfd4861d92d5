"""The folder through which worker processes agree on what they serve."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from app.registry.plan import Plan


class BusyError(Exception):
    """Another change of what is served is under way."""

    def __init__(self) -> None:
        super().__init__("models are being loaded or unloaded already; try again when that is done")


class WorkerProgress(BaseModel):
    """How far a worker is: the newest plan that it has seen, and why it could not follow it, if so."""

    generation: int
    error: str | None = None


@dataclass(frozen=True)
class PlanFolder:
    """The plan of all workers, one report of each, and a lock for who changes the plan.

    Files are replaced as a whole, so that a reader never sees a half of one. What cannot be written, as to a
    full disk, raises `OSError` and leaves the file as it was.
    """

    path: Path

    @contextmanager
    def lock(self, *, wait: bool = False) -> Iterator[None]:
        """Held by one process at a time, and let go of however that one ends.

        Raises `BusyError` if it is held and `wait` is not set.
        """
        with (self.path / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError as error:
                raise BusyError from error
            yield

    def read(self) -> Plan | None:
        """The plan, or None before there is one."""
        try:
            return Plan.model_validate_json((self.path / "plan.json").read_bytes())
        except FileNotFoundError:
            return None

    def write(self, plan: Plan) -> None:
        self._replace("plan.json", plan)

    def report(self, worker: int, report: WorkerProgress) -> None:
        """Say how far `worker` is. From the first report on it is waited for."""
        self._replace(f"{worker}.report", report)

    def reports(self) -> dict[int, WorkerProgress]:
        """The reports of all workers that serve."""
        found = {}
        for file in self.path.glob("*.report"):
            try:
                found[int(file.stem)] = WorkerProgress.model_validate_json(file.read_bytes())
            except FileNotFoundError:  # the worker has just ended
                continue
        return found

    def leave(self, worker: int) -> None:
        """Wait no longer for `worker`, whose process has ended."""
        (self.path / f"{worker}.report").unlink(missing_ok=True)

    def _replace(self, name: str, content: BaseModel) -> None:
        fresh = self.path / f".{name}.{os.getpid()}"
        try:
            fresh.write_text(content.model_dump_json(), encoding="utf-8")
            fresh.replace(self.path / name)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise


@dataclass(frozen=True)
class Membership:
    """The place of a process among the workers of one service."""

    folder: PlanFolder
    worker: int
