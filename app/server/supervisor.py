"""The parent of several worker processes: starts them, replaces those that die or hang, stops them."""

import logging
import multiprocessing
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import wait
from pathlib import Path

from app.errors import StartError
from app.observability.metric_folder import MetricFolder
from app.registry.plan_folder import PlanFolder
from app.server.shared_folder import shared_folder
from app.server.signals import StopSignals
from app.server.worker import MARGIN_SECONDS, PULSE, work
from app.settings import Settings

STEADY_SECONDS = 10
"""A worker that has served for so long counts as sound: if it dies, the next one starts without delay."""

MAX_DELAY_SECONDS = 30

SILENCE_SECONDS = 7.0
"""A worker that serves reports every second. After so long without a report it is replaced, as its event loop
hangs. Work that takes long does not delay the reports, as it runs on other threads.

A worker that starts reports nothing, and has `start_seconds` of the settings instead: importing and compiling
can hold up all of its threads."""

STOPPED_SECONDS = 3.0
"""The same of a worker that a signal has stopped (SIGSTOP), which is no matter of load. Not sooner, as some
tools hold a process back by stopping it again and again for a moment."""

LOOK_SECONDS = 1.0
"""How often this process looks after its workers, at least. Where more time has passed since the last look,
only so much counts: it was held up itself, and its workers perhaps too, as where a container is paused."""

logger = logging.getLogger(__name__)

# A fork of a process with threads, as PyTorch has them, may hang; a spawned process starts from nothing.
_spawn = multiprocessing.get_context("spawn")


class Worker:
    """A worker process, as its parent sees it."""

    def __init__(
        self,
        settings: Settings,
        reserved: socket.socket,
        number: int,
        folder: Path,
    ) -> None:
        self.number = number
        self.is_ending = False
        """Whether its reports have ended, or it has been killed."""
        self.silent_seconds = 0.0
        """Since its last report, or its start; of a time between two looks at most `LOOK_SECONDS`."""
        self.ready_since: float | None = None
        self.report, theirs = _spawn.Pipe(duplex=False)
        self.process = _spawn.Process(
            target=work, args=(settings, reserved, number, folder, theirs), daemon=True
        )
        # Ctrl-C in a terminal goes to all processes. It is for the parent to say when a worker stops, so the
        # workers inherit that it is blocked, which holds while they start as well.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        except OSError:
            self.report.close()
            raise
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self.name = f"worker {number} (pid {self.process.pid})"

    def read_report(self) -> str | None:
        """What the worker reports: "" that it serves, `PULSE` that it is well, other text what is wrong.

        None: it has ended.
        """
        try:
            return self.report.recv_bytes().decode()
        except (EOFError, OSError):
            self.is_ending = True
            return None

    def is_stopped(self) -> bool:
        """Whether a signal has stopped its process, as Linux tells; a debugger that does so is left alone."""
        try:
            status = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        # After the name, which may hold anything.
        return status.rpartition(")")[2].split()[0] == "T"

    def end(self) -> str:
        """Release what belongs to the process, which has ended; returns how it did."""
        self.process.join()
        code = self.process.exitcode or 0
        self.process.close()
        self.report.close()
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


class Supervisor:
    """Runs `settings.workers` processes that serve the `reserved` address.

    `announce` is called once all of them are ready.
    """

    def __init__(self, settings: Settings, reserved: socket.socket, announce: Callable[[], None]) -> None:
        self._settings = settings
        self._reserved = reserved
        self._announce = announce
        self._has_served = False
        """Whether a worker has been ready, so that the service may have told somebody that it is."""
        self._announced = False
        self._workers: dict[int, Worker] = {}
        self._due: dict[int, float] = {}
        self._deaths = [0] * settings.workers
        self._looked = time.monotonic()

    def run(self) -> bool:
        """Serve until SIGTERM or SIGINT, then let running requests finish; a second signal ends them.

        Returns whether all workers ended in order. Raises `StartError` if one of them fails to start before
        any is ready, and `OSError` if there is no folder for temporary files.
        """
        # Started by the first process otherwise, and it would unblock the signal that `Worker` blocks.
        resource_tracker.ensure_running()
        with StopSignals() as signals, shared_folder() as folder:
            self._metrics = MetricFolder(folder)
            self._plans = PlanFolder(folder)
            self._due = dict.fromkeys(range(self._settings.workers), time.monotonic())
            try:
                while not signals.take():
                    self._start_due()
                    self._handle_events(signals)
                return self._stop(signals)
            finally:
                self._kill()

    def _start_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            try:
                worker = Worker(self._settings, self._reserved, number, self._metrics.path)
            except OSError as error:
                # As where there may be no more processes: no reason to end those that serve.
                if not self._has_served:
                    raise StartError(f"worker {number} cannot be started: {error.strerror}") from error
                delay = self._postpone(number)
                logger.error(
                    "worker %d cannot be started: %s; tried again %s", number, error.strerror, _when(delay)
                )
            else:
                self._workers[number] = worker

    def _handle_events(self, signals: StopSignals) -> None:
        """Wait until something happens or is due, and deal with it."""
        reports = [worker.report.fileno() for worker in self._workers.values() if not worker.is_ending]
        timeout = min([LOOK_SECONDS, *(due - time.monotonic() for due in self._due.values())])
        happened = self._wait([*reports, signals.fileno()], max(timeout, 0))
        self._count_silence()
        # All reports first: one may say why its worker ends, or that another worker is ready.
        for worker in self._workers.values():
            if worker.report.fileno() in happened:
                self._read_report(worker)
        for worker in list(self._workers.values()):
            if worker.process.sentinel in happened:
                self._replace(worker)
        for worker in self._workers.values():
            why = None if worker.is_ending else self._why_late(worker)
            if why is not None and not worker.report.poll():
                self._end_late(worker, why)

    def _count_silence(self) -> None:
        now = time.monotonic()
        passed = min(now - self._looked, LOOK_SECONDS)
        self._looked = now
        for worker in self._workers.values():
            worker.silent_seconds += passed

    def _why_late(self, worker: Worker) -> str | None:
        """Why a worker has been silent for too long; None where it has not."""
        if worker.ready_since is None:
            seconds = self._settings.start_seconds
            late = worker.silent_seconds > seconds
            return f"is not ready after RESNET_SERVE_START_SECONDS={seconds:g}" if late else None
        if worker.silent_seconds > SILENCE_SECONDS:
            return f"has reported nothing for {SILENCE_SECONDS:g} s"
        if worker.silent_seconds > STOPPED_SECONDS and worker.is_stopped():
            return f"has been stopped for {STOPPED_SECONDS:g} s"
        return None

    def _end_late(self, worker: Worker, why: str) -> None:
        if not self._has_served:
            raise StartError(f"{worker.name} {why}")
        self._end(worker, why)

    def _end(self, worker: Worker, why: str) -> None:
        """Kill the worker, which may not react to any other signal; it is replaced once it has ended."""
        logger.error("%s %s; it is ended by force", worker.name, why)
        worker.is_ending = True
        worker.process.kill()

    def _wait(self, others: list[int], timeout: float) -> list[object]:
        """Wait until a worker ends or one of `others`, file descriptors too, is readable; returns which."""
        sentinels = [worker.process.sentinel for worker in self._workers.values()]
        return list(wait([*sentinels, *others], timeout))

    def _read_report(self, worker: Worker) -> None:
        report = worker.read_report()
        worker.silent_seconds = 0.0
        if report == PULSE.decode():
            return
        if report == "":
            worker.ready_since = time.monotonic()
            self._has_served = True
            if not self._announced and self._all_ready():
                self._announced = True
                self._announce()
        elif report is not None:
            if worker.ready_since is not None:
                self._end(worker, f"is not well: {report}")
            elif not self._has_served:
                raise StartError(report)
            else:
                logger.error("%s cannot start: %s", worker.name, report)

    def _all_ready(self) -> bool:
        ready = [worker for worker in self._workers.values() if worker.ready_since is not None]
        return len(ready) == self._settings.workers

    def _replace(self, worker: Worker) -> None:
        how = self._remove(worker)
        if not self._has_served:
            raise StartError(f"{worker.name} {how} before any worker was ready")
        if worker.ready_since is not None and time.monotonic() - worker.ready_since >= STEADY_SECONDS:
            self._deaths[worker.number] = 0
        delay = self._postpone(worker.number)
        logger.warning("%s %s; the next one starts %s", worker.name, how, _when(delay))

    def _postpone(self, number: int) -> float:
        """Have the next process of this number started after a delay; returns its seconds."""
        delay = restart_delay(self._deaths[number])
        self._deaths[number] += 1
        self._due[number] = time.monotonic() + delay
        return delay

    def _remove(self, worker: Worker) -> str:
        del self._workers[worker.number]
        how = worker.end()
        self._metrics.leave(worker.number)
        self._plans.leave(worker.number)
        return how

    def _stop(self, signals: StopSignals) -> bool:
        for worker in self._workers.values():
            worker.process.terminate()
        allowed = self._settings.unready_seconds + self._settings.drain_seconds
        deadline = time.monotonic() + allowed + MARGIN_SECONDS
        in_order = True
        while self._workers:
            happened = self._wait([signals.fileno()], max(deadline - time.monotonic(), 0))
            if signals.take():
                return False
            if not happened:
                logger.warning(
                    "running requests did not end within RESNET_SERVE_DRAIN_SECONDS=%d",
                    self._settings.drain_seconds,
                )
                return False
            for worker in [each for each in self._workers.values() if each.process.sentinel in happened]:
                how = self._remove(worker)
                # One that is not ready yet does not catch the signal.
                if how.startswith("was ended by") and not how.endswith("SIGTERM"):
                    logger.error("%s %s while the service stopped", worker.name, how)
                    in_order = False
        return in_order

    def _kill(self) -> None:
        for worker in list(self._workers.values()):
            logger.info("%s is ended by force", worker.name)
            worker.process.kill()
            self._remove(worker)


def restart_delay(deaths: int) -> float:
    """Seconds until a worker is replaced, after so many earlier deaths in a row: 0, 1, 2, 4, ... 30."""
    return float(min(2 ** (deaths - 1), MAX_DELAY_SECONDS)) if deaths else 0.0


def _when(delay: float) -> str:
    return f"in {delay:g} s" if delay else "now"
