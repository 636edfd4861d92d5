"""The run's curves as TensorBoard reads them, whole over any number of stops, crashes and resumptions."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import scalar

PREFIX = "events.out.tfevents."


class EventLog:
    """One file of events in `folder`, beside those of earlier sessions of the same run.

    What is logged is in the file once the call returns; torch's `SummaryWriter` leaves it to a thread, whose
    failures, of a full disk for one, are told to nobody but the terminal. `from_step` is the first step that
    this session will log anew: what earlier sessions logged from there on, and lost in a crash, is void.

    Its methods raise `OSError` where the file cannot be written.
    """

    def __init__(self, folder: Path, from_step: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / _next_name(folder)).open("wb")
        self._records = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2", wall_time=time.time()))
        self._write(
            Event(step=from_step, session_log=SessionLog(status=SessionLog.START), wall_time=time.time())
        )

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Log a value for each tag."""
        for tag, value in values.items():
            summary = scalar(tag, value)  # type: ignore[no-untyped-call]
            self._write(Event(step=step, summary=summary, wall_time=time.time()))

    def close(self) -> None:
        self._file.close()

    def _write(self, event: Event) -> None:
        self._records.write(event.SerializeToString())
        self._records.flush()


def logged_steps(folder: Path) -> dict[str, set[int]]:
    """Of each tag in the event files of `folder` the steps that TensorBoard shows.

    Its own reader cannot open files in a folder whose name is not UTF-8, and warns on the terminal of every
    session that did steps anew, which is what sessions are for.
    """
    steps: dict[str, set[int]] = {}
    for file in sorted(folder.glob(f"{PREFIX}*")):
        for event in _events(file):
            if event.session_log.status == SessionLog.START:
                steps = {tag: {each for each in own if each < event.step} for tag, own in steps.items()}
            for value in event.summary.value:
                steps.setdefault(value.tag, set()).add(event.step)
    return steps


def _events(file: Path) -> Iterator[Event]:
    """The events of a file up to its end, or to where a crash cut a record short.

    A record is the length of its content (8 bytes, little-endian), 4 bytes of checksum, the content, 4 more.
    """
    content = file.read_bytes()
    start = 0
    while start + 16 <= len(content):
        length = int.from_bytes(content[start : start + 8], "little")
        end = start + 12 + length
        if end + 4 > len(content):
            return
        try:
            yield Event.FromString(content[start + 12 : end])
        except DecodeError:
            return
        start = end + 4


def _next_name(folder: Path) -> str:
    """A name behind all others: TensorBoard reads a run's files in the order of their names.

    By the second alone, which names carry, two sessions in one second could be read in the wrong order.
    """
    names = [path.name.removeprefix(PREFIX) for path in folder.glob(f"{PREFIX}*")]
    seconds = [int(name.split(".")[0]) for name in names if name.split(".")[0].isdecimal()]
    second = max(int(time.time()), *(each + 1 for each in seconds), 0)
    return f"{PREFIX}{second:010d}.{socket.gethostname()}.{os.getpid()}"
