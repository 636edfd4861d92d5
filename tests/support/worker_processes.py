"""Two worker processes behind one address, and what the kernel says of them."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.server_process import ROOT, running

IMAGE = (ROOT / "app" / "static" / "samples" / "dog.png").read_bytes()
PATIENCE_SECONDS = 120


@contextmanager
def two_workers(
    model_dir: Path, folder: Path, drain_seconds: int = 20, others: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The parent, and the address; temporary files go to `folder`, `others` are further settings."""
    settings = {
        "WORKERS": "2",
        "RESNET_SERVE_DRAIN_SECONDS": str(drain_seconds),
        "TMPDIR": str(folder),
        **(others or {}),
    }
    with running(model_dir, settings) as (process, address, printed):
        assert printed.count("Ready.") == 1
        yield process, address


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} seconds"
        time.sleep(0.05)


def workers_of(parent: subprocess.Popen[str]) -> list[int]:
    """The process ids of the workers; the parent has another child that tidies up after it."""
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    return [int(child) for child in children if "spawn_main" in _command_line(child)]


def _command_line(process_id: str) -> str:
    """Empty where there is no such process any more."""
    try:
        return Path(f"/proc/{process_id}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def state_of(process_id: int) -> str:
    """One letter, such as T for a process that is stopped; X where there is none."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"
