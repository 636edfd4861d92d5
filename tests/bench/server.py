"""A server as a process of its own on 127.0.0.1: how long it takes to start, how much memory it holds."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

import httpx
import psutil

from tests.bench.program import BenchError
from tests.support.free_port import free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 120
STOP_SECONDS = 10
POLL_SECONDS = 0.02

OURS = ("app", "serve")
"""The module to run with its arguments, for this project's own service."""


@dataclass(frozen=True)
class Server:
    """A server that is ready. `cold_start_seconds` is from its spawning to its first answer of health."""

    address: str
    cold_start_seconds: float
    pid: int

    def memory_mib(self) -> float:
        """Resident memory of all its processes in MiB; pages that they share count for each."""
        root = psutil.Process(self.pid)
        return float(sum(_resident(process) for process in (root, *root.children(recursive=True))) / 2**20)

    def peak_mib(self) -> float:
        """The most memory that its first process has held so far, in MiB; 0 if the system does not say."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except FileNotFoundError:
            return 0.0
        found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0


@contextmanager
def running(
    module: Sequence[str],
    environment: Mapping[str, str],
    ready_path: str = "/health/ready",
    folder: Path = ROOT,
    python: Sequence[str] = (sys.executable,),
    start_seconds: float = START_SECONDS,
) -> Iterator[Server]:
    """Run `python -m module...` in `folder`, with a free port as PORT, until the block ends.

    `python` is the command of the interpreter. Raises `BenchError`, with the end of what the server printed,
    if it does not become ready in `start_seconds`.
    """
    port = free_port()
    variables = {**os.environ, **environment, "RESNET_SERVE_HOST": "127.0.0.1", "PORT": str(port)}
    with tempfile.TemporaryFile() as printed:
        start = perf_counter()
        process = subprocess.Popen(
            [*python, "-m", *module],
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            # A group of its own, so that processes which it leaves behind can be found.
            start_new_session=True,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            if not _becomes_ready(process, address + ready_path, start + start_seconds):
                printed.seek(0)
                end = printed.read().decode(errors="replace").strip()[-600:]
                raise BenchError(f"{' '.join(module)} did not become ready: {end}")
            yield Server(address, perf_counter() - start, process.pid)
        finally:
            _stop(process)


def _becomes_ready(process: subprocess.Popen[bytes], url: str, deadline: float) -> bool:
    with httpx.Client(timeout=5) as client:
        while process.poll() is None and perf_counter() < deadline:
            try:
                if client.get(url).status_code == httpx.codes.OK:
                    return True
            except httpx.TransportError:
                pass  # it does not listen yet
            sleep(POLL_SECONDS)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it left nothing behind


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
