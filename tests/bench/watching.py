"""What others see of a server meanwhile: how long its health check takes, and how much memory it holds."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from tests.bench.server import Server
from tests.bench.target import Target

PROBE_SECONDS = 5.0
"""After which an ask of /health/live has failed."""

MOST_MIB = 8192
"""A server that takes more is ended, so that the machine survives it."""

PROBE = """
import http.client, sys, time

def ask():
    connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=float(sys.argv[3]))
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

while True:
    begun = time.perf_counter()
    well = ask()
    print(1000 * (time.perf_counter() - begun if well else float(sys.argv[3])), flush=True)
    time.sleep(0.01)
"""


@dataclass
class Watched:
    """What others saw meanwhile: times of /health/live in ms, and the server's memory in MiB."""

    live_ms: list[float] = field(default_factory=list)
    peak_mib: float = 0.0


@contextmanager
def watched(server: Server, target: Target) -> Iterator[Watched]:
    seen = Watched()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.05):
            seen.peak_mib = max(seen.peak_mib, server.memory_mib())
            if seen.peak_mib > MOST_MIB:
                _end(server)
                return

    looking = threading.Thread(target=look)
    command = [sys.executable, "-c", PROBE, target.host, str(target.port), str(PROBE_SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as probe:
        assert probe.stdout is not None
        first = probe.stdout.readline()  # and so it asks, and goes on to
        looking.start()
        try:
            yield seen
        finally:
            time.sleep(1)
            ended.set()
            looking.join()
            probe.terminate()
            seen.live_ms = [float(line) for line in (first, *probe.communicate()[0].split())]


def _end(server: Server) -> None:
    parent = psutil.Process(server.pid)
    for process in (*parent.children(recursive=True), parent):
        process.kill()
