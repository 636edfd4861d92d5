"""What a worker process may do, for the tests of its parent. Each takes the arguments of `work`."""

import os
import signal
import socket
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

from app.server.worker import PULSE
from app.settings import Settings

LIFETIME_SECONDS = 600
"""Longer than any test; after it a worker ends by itself, whatever became of its parent."""


def _say_that_all_is_well(report: Connection) -> None:
    for _ in range(LIFETIME_SECONDS):
        report.send_bytes(PULSE)
        time.sleep(1)


def _first_life(folder: Path, number: int) -> bool:
    """Whether no process of this number was there before."""
    try:
        (folder / f"{number}.lived").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _wait_for_the_first(folder: Path) -> None:
    """Wait until number 0 has reported that it is ready."""
    while not (folder / "0.ready").exists():
        time.sleep(0.01)


def _say_ready_in_turn(report: Connection, number: int, folder: Path) -> None:
    """Become ready; number 1 after number 0, so that with its word the parent has announced both."""
    if number:
        _wait_for_the_first(folder)
    report.send_bytes(b"")
    (folder / f"{number}.ready").touch()


def fall_silent_once(
    _settings: Settings, _reserved: socket.socket, number: int, folder: Path, report: Connection
) -> None:
    """Become ready, and as the first one of number 1 say nothing more; the next one has the parent stop."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    is_first = _first_life(folder, number)
    _say_ready_in_turn(report, number, folder)
    if number == 1 and is_first:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(LIFETIME_SECONDS)
    if not is_first:
        os.kill(os.getppid(), signal.SIGTERM)
    _say_that_all_is_well(report)


def be_stopped_once(
    _settings: Settings, _reserved: socket.socket, number: int, folder: Path, report: Connection
) -> None:
    """Become ready, and as the first one of number 1 be stopped by a signal, as `fall_silent_once`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    is_first = _first_life(folder, number)
    _say_ready_in_turn(report, number, folder)
    if number == 1 and is_first:
        os.kill(os.getpid(), signal.SIGSTOP)
    if not is_first:
        os.kill(os.getppid(), signal.SIGTERM)
    _say_that_all_is_well(report)


def complain_once(
    _settings: Settings, _reserved: socket.socket, number: int, folder: Path, report: Connection
) -> None:
    """Become ready, and as the first one of number 1 say that something is wrong, as `fall_silent_once`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    is_first = _first_life(folder, number)
    _say_ready_in_turn(report, number, folder)
    if number == 1 and is_first:
        report.send_bytes(b"the engine is asleep")
    if not is_first:
        os.kill(os.getppid(), signal.SIGTERM)
    _say_that_all_is_well(report)


def start_slowly(
    _settings: Settings, _reserved: socket.socket, number: int, _folder: Path, report: Connection
) -> None:
    """Say nothing for three seconds, as number 1, and only then become ready."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(3 if number == 1 else 0)
    report.send_bytes(b"")
    _say_that_all_is_well(report)


def stop_when_told(
    _settings: Settings, _reserved: socket.socket, _number: int, _folder: Path, report: Connection
) -> None:
    """Become ready, and end with status 0 on SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    report.send_bytes(b"")
    _say_that_all_is_well(report)


def be_killed_as_it_stops(
    _settings: Settings, _reserved: socket.socket, number: int, _folder: Path, report: Connection
) -> None:
    """Become ready, and as number 1 be killed once it is told to stop, as where memory is short."""
    signal.signal(
        signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGKILL) if number == 1 else sys.exit(0)
    )
    report.send_bytes(b"")
    _say_that_all_is_well(report)


def be_interrupted_or_stop(
    _settings: Settings, _reserved: socket.socket, _number: int, _folder: Path, report: Connection
) -> None:
    """Become ready, and end with status 0 on SIGTERM; SIGINT has the parent get a second signal."""
    signal.signal(signal.SIGINT, lambda *_: os.kill(os.getppid(), signal.SIGTERM))
    stop_when_told(_settings, _reserved, _number, _folder, report)


def ignore_the_stop(
    _settings: Settings, _reserved: socket.socket, _number: int, _folder: Path, report: Connection
) -> None:
    """Become ready, and serve on whatever comes."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report.send_bytes(b"")
    _say_that_all_is_well(report)


def answer_the_stop_with_another(
    _settings: Settings, _reserved: socket.socket, _number: int, _folder: Path, report: Connection
) -> None:
    """Become ready, and have the parent get a second signal as soon as it has acted on the first."""
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getppid(), signal.SIGTERM))
    report.send_bytes(b"")
    _say_that_all_is_well(report)


def fail_with_a_reason(
    _settings: Settings, _reserved: socket.socket, number: int, _folder: Path, report: Connection
) -> None:
    """Say why it cannot serve, as number 1; go on starting as any other."""
    if number == 1:
        report.send_bytes(b"the model is damaged")
        sys.exit(1)
    time.sleep(LIFETIME_SECONDS)


def exit_without_a_word(
    _settings: Settings, _reserved: socket.socket, _number: int, _folder: Path, _report: Connection
) -> None:
    """End with status 3 before it is ready."""
    sys.exit(3)


def exit_beside_one_that_is_ready(
    _settings: Settings, _reserved: socket.socket, number: int, folder: Path, report: Connection
) -> None:
    """Become ready; the first one of number 1 ends with status 3 instead, once number 0 is ready."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if number == 1 and _first_life(folder, number):
        _wait_for_the_first(folder)
        sys.exit(3)
    _say_ready_in_turn(report, number, folder)
    _say_that_all_is_well(report)


def fail_beside_one_that_is_ready(
    settings: Settings, reserved: socket.socket, number: int, folder: Path, report: Connection
) -> None:
    """As `exit_beside_one_that_is_ready`, but the one that ends says why."""
    if number == 1 and not (folder / "1.lived").exists():
        _wait_for_the_first(folder)
        report.send_bytes(b"not today")
    exit_beside_one_that_is_ready(settings, reserved, number, folder, report)


def hang(
    _settings: Settings, _reserved: socket.socket, _number: int, _folder: Path, _report: Connection
) -> None:
    """Never become ready, whatever comes."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(LIFETIME_SECONDS)


def fail_the_second_time(
    _settings: Settings, _reserved: socket.socket, number: int, folder: Path, report: Connection
) -> None:
    """Serve; as the next of the same number, fail to start; as the one after that, have the parent stop."""
    life = _life(folder, number)
    if life == 2:
        report.send_bytes(b"not today")
        sys.exit(1)
    _serve_and_have_the_parent_stop(report, life)


def hang_the_second_time(
    _settings: Settings, _reserved: socket.socket, number: int, folder: Path, report: Connection
) -> None:
    """Serve; as the next of the same number, hang; as the one after that, have the parent stop."""
    life = _life(folder, number)
    if life == 2:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(LIFETIME_SECONDS)
    _serve_and_have_the_parent_stop(report, life)


def _life(folder: Path, number: int) -> int:
    """How many processes of this number there have been, this one among them."""
    with (folder / f"{number}.lives").open("a+") as lives:
        lives.write("x")
        lives.seek(0)
        return len(lives.read())


def _serve_and_have_the_parent_stop(report: Connection, life: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    report.send_bytes(b"")
    if life == 3:
        os.kill(os.getppid(), signal.SIGTERM)
    _say_that_all_is_well(report)
