"""The parent of the workers: what it does when they start, fail, die and stop."""

import errno
import logging
import multiprocessing
import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.errors import StartError
from app.server import supervisor
from app.server.supervisor import Supervisor, restart_delay
from app.settings import Settings
from tests.support import fake_workers


@pytest.fixture
def reserved() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        yield reserved


Run = Callable[..., bool]


@pytest.fixture
def run(reserved: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Supervise two of the given workers, and do the given thing when both are ready."""

    def run(work: Callable[..., None], when_ready: Callable[[], None], start_seconds: float = 300) -> bool:
        monkeypatch.setattr(supervisor, "work", work)
        settings = Settings(workers=2, drain_seconds=30, start_seconds=start_seconds)
        return Supervisor(settings, reserved, when_ready).run()

    return run


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _kill_one() -> None:
    multiprocessing.active_children()[0].kill()


def _never() -> None:
    pytest.fail("announced, though not all workers are ready")


def test_all_ready_is_announced_once_and_a_signal_stops_all_in_order(run: Run) -> None:
    announced = []

    def when_ready() -> None:
        announced.append(len(multiprocessing.active_children()))
        _stop()

    assert run(fake_workers.stop_when_told, when_ready)
    assert announced == [2]
    assert multiprocessing.active_children() == []


def test_ctrl_c_is_for_the_parent_alone(run: Run) -> None:
    """A terminal sends it to the workers too, for whom the parent's SIGTERM would be a second signal."""

    def interrupt_the_workers() -> None:
        for worker in multiprocessing.active_children():
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGINT)
        _stop()

    assert run(fake_workers.be_interrupted_or_stop, interrupt_the_workers)


def test_the_reason_why_one_cannot_start_stops_all(run: Run) -> None:
    with pytest.raises(StartError, match=r"^the model is damaged$"):
        run(fake_workers.fail_with_a_reason, _never)
    assert multiprocessing.active_children() == []


def test_a_worker_that_ends_before_it_is_ready_stops_all(run: Run) -> None:
    line = r"^worker \d \(pid \d+\) ended with status 3 before any worker was ready$"
    with pytest.raises(StartError, match=line):
        run(fake_workers.exit_without_a_word, _never)


def test_a_worker_that_hangs_as_it_starts_stops_all(run: Run) -> None:
    line = r"^worker \d \(pid \d+\) is not ready after RESNET_SERVE_START_SECONDS=0\.5$"
    with pytest.raises(StartError, match=line):
        run(fake_workers.hang, _never, start_seconds=0.5)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("work", "whys"),
    [
        (fake_workers.exit_beside_one_that_is_ready, []),
        (fake_workers.fail_beside_one_that_is_ready, ["cannot start: not today"]),
    ],
)
def test_once_one_is_ready_the_failing_start_of_another_stops_nothing(
    run: Run, caplog: pytest.LogCaptureFixture, work: Callable[..., None], whys: list[str]
) -> None:
    """As the first may have answered already that the service is ready."""
    with caplog.at_level(logging.WARNING, "app.server.supervisor"):
        assert run(work, _stop)
    for said, expected in zip(
        caplog.messages, [*whys, "ended with status 3; the next one starts now"], strict=True
    ):
        assert re.fullmatch(rf"worker 1 \(pid \d+\) {expected}", said)


def test_a_worker_that_hangs_as_it_starts_beside_another_is_replaced(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started = []

    class Aging(supervisor.Worker):
        """As if the third of all had been started 300 s before; by now it hangs."""

        def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - those of the worker
            super().__init__(*arguments)
            started.append(self)
            if len(started) == 3:
                lives: Path = arguments[-1] / f"{self.number}.lives"
                while len(lives.read_text()) < 2:
                    time.sleep(0.01)
                self.silent_seconds = 300

    monkeypatch.setattr(supervisor, "Worker", Aging)
    with caplog.at_level(logging.WARNING, "app.server.supervisor"):
        assert run(fake_workers.hang_the_second_time, _kill_one, start_seconds=300)
    patterns = [
        r"worker \d \(pid \d+\) was ended by SIGKILL; the next one starts now",
        r"worker \d \(pid \d+\) is not ready after RESNET_SERVE_START_SECONDS=300; it is ended by force",
        r"worker \d \(pid \d+\) was ended by SIGKILL; the next one starts in 1 s",
    ]
    for pattern, message in zip(patterns, caplog.messages, strict=True):
        assert re.fullmatch(pattern, message)


def test_a_worker_that_dies_is_replaced_until_it_serves_again(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "app.server.supervisor"):
        assert run(fake_workers.fail_the_second_time, _kill_one)
    patterns = [
        r"worker \d \(pid \d+\) was ended by SIGKILL; the next one starts now",
        r"worker \d \(pid \d+\) cannot start: not today",
        r"worker \d \(pid \d+\) ended with status 1; the next one starts in 1 s",
    ]
    assert len(caplog.messages) == len(patterns)
    for pattern, message in zip(patterns, caplog.messages, strict=True):
        assert re.fullmatch(pattern, message)


@pytest.mark.parametrize(
    ("work", "why"),
    [
        (fake_workers.fall_silent_once, r"has reported nothing for 2\.5 s"),
        (fake_workers.complain_once, "is not well: the engine is asleep"),
        (fake_workers.be_stopped_once, r"has been stopped for 0\.5 s"),
    ],
)
def test_a_worker_that_hangs_is_replaced(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    work: Callable[..., None],
    why: str,
) -> None:
    monkeypatch.setattr(supervisor, "SILENCE_SECONDS", 2.5)
    monkeypatch.setattr(supervisor, "STOPPED_SECONDS", 0.5)
    with caplog.at_level(logging.WARNING, "app.server.supervisor"):
        assert run(work, lambda: None)
    first, second = caplog.messages
    assert re.fullmatch(rf"worker 1 \(pid \d+\) {why}; it is ended by force", first)
    assert re.fullmatch(r"worker 1 \(pid \d+\) was ended by SIGKILL; the next one starts now", second)


def test_a_worker_that_still_starts_may_be_silent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "SILENCE_SECONDS", 2.5)
    assert run(fake_workers.start_slowly, _stop)


def test_workers_are_not_blamed_for_what_held_up_their_parent_too(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a container is paused for a minute, and the parent is the first to go on."""
    held_up = 0
    looks = 0
    wait, clock = Supervisor._wait, time.monotonic

    def late(self: Supervisor, others: list[int], timeout: float) -> list[object]:
        nonlocal held_up, looks
        happened = wait(self, others, timeout)
        held_up += 60
        looks += self._announced
        if looks == 4:
            _stop()
        return happened

    monkeypatch.setattr(Supervisor, "_wait", late)
    monkeypatch.setattr(supervisor, "time", SimpleNamespace(monotonic=lambda: clock() + held_up))
    with caplog.at_level(logging.WARNING, "app.server.supervisor"):
        run(fake_workers.stop_when_told, lambda: None)
    assert not [message for message in caplog.messages if "reported nothing" in message]


def test_a_worker_that_cannot_be_started_beside_others_is_tried_again(
    run: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried = []

    class Refused(supervisor.Worker):
        """As if the third of all processes were one too many."""

        def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - those of the worker
            tried.append(self)
            if len(tried) == 3:
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            super().__init__(*arguments)

    monkeypatch.setattr(supervisor, "Worker", Refused)
    with caplog.at_level(logging.WARNING, "app.server.supervisor"):
        assert run(fake_workers.complain_once, lambda: None)
    assert caplog.messages[2:] == [
        "worker 1 cannot be started: Resource temporarily unavailable; tried again in 1 s"
    ]


def test_a_process_that_cannot_be_started_before_any_is_ready_stops_all(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(supervisor._spawn.Process, "start", refuse)
    resource_tracker.ensure_running()  # which keeps a file open as long as this process lives
    opened = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(StartError, match=r"^worker 0 cannot be started: Resource temporarily unavailable$"):
        run(fake_workers.stop_when_told, _never)
    assert len(list(Path("/proc/self/fd").iterdir())) == opened


def test_workers_that_do_not_stop_in_time_are_ended(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "MARGIN_SECONDS", -29)
    assert not run(fake_workers.ignore_the_stop, _stop)
    assert multiprocessing.active_children() == []


def test_a_worker_that_is_killed_while_it_stops_has_not_ended_in_order(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    assert not run(fake_workers.be_killed_as_it_stops, _stop)
    assert re.search(r"worker 1 \(pid \d+\) was ended by SIGKILL while the service stopped", caplog.text)
    assert "worker 0" not in caplog.text


@pytest.mark.timeout(30)
def test_a_second_signal_ends_workers_at_once(run: Run) -> None:
    """Long before the time that they are given to stop, which is more than that of this test."""
    assert not run(fake_workers.answer_the_stop_with_another, _stop)
    assert multiprocessing.active_children() == []


def test_the_delay_before_a_replacement_grows_to_a_limit() -> None:
    assert [restart_delay(deaths) for deaths in range(9)] == [0, 1, 2, 4, 8, 16, 30, 30, 30]
    assert restart_delay(10_000) == 30
