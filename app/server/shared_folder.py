"""The folder through which the worker processes of one service share what they count and what they serve."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def shared_folder() -> Iterator[Path]:
    """A temporary folder that is there until the end, also of a service that runs for months.

    What clears away old temporary files would take the plan and the ids of processes, which seldom change.
    systemd-tmpfiles leaves a folder alone that is locked (tmpfiles.d(5), "Age"). Raises `OSError`.
    """
    with TemporaryDirectory(prefix="resnet-serve-") as path:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield Path(path)
        finally:
            os.close(lock)
