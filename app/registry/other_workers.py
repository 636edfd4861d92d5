"""The worker processes beside this one, which must serve the same: what they are told, how far they are."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager

from app.registry.plan import Plan
from app.registry.plan_folder import Membership, WorkerProgress

POLL_SECONDS = 0.2
FOLLOW_SECONDS = 120.0
"""How long the other workers may take to load what this one has loaded."""

logger = logging.getLogger(__name__)


class FollowError(Exception):
    """Another worker could not do the same, or not in time.

    If it could not load a model, what is served is as it was. What all have loaded, or are to unload, a late
    one still follows.
    """


class OtherWorkers:
    """What a process shares with others over the folder of its `membership`; nothing at all without one."""

    def __init__(self, membership: Membership | None) -> None:
        self._membership = membership
        self._expected: Set[int] = frozenset()
        """The other workers that served when the last plan was written."""
        self._unreported: WorkerProgress | None = None
        """What could not be written yet, as to a full disk."""

    @property
    def are_none(self) -> bool:
        """Whether this process serves alone, and always will."""
        return self._membership is None

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held while the plan is changed. Raises `BusyError` if another process holds it."""
        if self._membership is None:
            yield
            return
        with self._membership.folder.lock():
            yield

    def join(self, first: Callable[[], Plan]) -> Plan:
        """The plan that all follow; the first process to ask writes the `first` one. Raises `OSError`."""
        if self._membership is None:
            return first()
        folder = self._membership.folder
        with folder.lock(wait=True):
            plan = folder.read()
            if plan is None:
                plan = first()
                folder.write(plan)
            return plan

    def plan(self) -> Plan | None:
        """The plan that was written last, by whichever process."""
        return None if self._membership is None else self._membership.folder.read()

    def publish(self, plan: Plan) -> None:
        """Write `plan`, which all others follow from now on. Raises `FollowError` if it cannot be written."""
        if self._membership is None:
            return
        self._expected = self._reports().keys()
        try:
            self._membership.folder.write(plan)
        except OSError as error:
            raise FollowError(f"the other workers cannot be told: {error.strerror}") from error

    def report(self, generation: int, error: str | None = None) -> None:
        """Write which plan this process follows, and why it could not, if so.

        What cannot be written is logged, and written by `report_again`.
        """
        self._write(WorkerProgress(generation=generation, error=error))

    def report_again(self) -> None:
        """Write the last report, if that has failed."""
        if self._unreported is not None:
            self._write(self._unreported)

    def _write(self, report: WorkerProgress) -> None:
        if self._membership is None:
            return
        try:
            self._membership.folder.report(self._membership.worker, report)
            self._unreported = None
        except OSError as failure:
            if self._unreported is None:
                logger.warning("cannot report to the other workers: %s", failure.strerror)
            self._unreported = report

    def _reports(self) -> dict[int, WorkerProgress]:
        """The reports of all others."""
        assert self._membership is not None, "there are no others"
        reports = self._membership.folder.reports()
        reports.pop(self._membership.worker, None)
        return reports

    async def wait_for(self, plan: Plan) -> None:
        """Return when all follow `plan`. Raises `FollowError` if one of them cannot.

        A worker that ends while a model is staged may have ended because of it, and so would the next one.
        """
        if self._membership is None:
            return
        expected = self._expected
        deadline = asyncio.get_running_loop().time() + FOLLOW_SECONDS
        while True:
            reports = self._reports()
            for worker, report in reports.items():
                if report.generation >= plan.generation and report.error is not None:
                    raise FollowError(f"worker {worker} cannot do the same: {report.error}")
            if plan.staged is not None and (ended := expected - reports.keys()):
                raise FollowError(f"worker {min(ended)} ended while it did the same")
            late = [worker for worker, report in reports.items() if report.generation < plan.generation]
            if not late:
                return
            if asyncio.get_running_loop().time() > deadline:
                raise FollowError(f"worker {late[0]} has not followed within {FOLLOW_SECONDS:g} s")
            await asyncio.sleep(POLL_SECONDS / 10)
