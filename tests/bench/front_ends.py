"""Workers that share one engine in a separate process, compared with workers that have an engine each.

    python -m tests.bench.front_ends [--workers 2 4] [--rounds 3] [--seconds 3]

Both serve the bundled model on the same cores, and are loaded in turn in each round: 32 connections, 32x32
JPEG, multipart. Prints a table of images per second, p99 and memory, and one JSON line last.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from app.settings import BUNDLED_MODEL
from tests.bench import load, server
from tests.bench.arithmetic import Load, median_load
from tests.bench.payloads import FORMS, pictures
from tests.bench.program import BenchError, machine, run, say, table
from tests.bench.serving import PACKAGES
from tests.bench.shared_engine.server import VARIABLE

CONNECTIONS = 32
BODY = FORMS["multipart"](pictures()["32x32-jpeg"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    return run(lambda: benchmark(options.workers, options.rounds, options.seconds))


def benchmark(workers: list[int], rounds: int, seconds: int) -> dict[str, Any]:
    results = {number: _compared(number, rounds, seconds) for number in workers}
    columns = ("images_per_second", "p99_ms", "memory_mib")
    rows = [
        [f"{number} workers, {kind}", *(f"{each[column]:.0f}" for column in columns)]
        for number, kinds in results.items()
        for kind, each in kinds.items()
    ]
    say(table(["", "images/s", "p99 ms", "MiB"], rows))
    return {
        "benchmark": "front_ends",
        **machine(*PACKAGES),
        "load_generator": load.generator(),
        "rounds": rounds,
        "seconds": seconds,
        "results": results,
    }


def _compared(workers: int, rounds: int, seconds: int) -> dict[str, dict[str, float]]:
    """Figures of both kinds with this number of workers."""
    loads: dict[str, list[Load]] = {"an engine each": [], "one engine": []}
    environment = {"WORKERS": str(workers)}
    with ExitStack() as stack:
        each = stack.enter_context(server.running(server.OURS, environment))
        process, address = stack.enter_context(_engine())
        module = ("tests.bench.shared_engine.server", "serve")
        shared = stack.enter_context(server.running(module, {**environment, VARIABLE: address}))
        addresses = dict(zip(loads, (each.address, shared.address), strict=True))
        for url in addresses.values():
            load.drive(f"{url}/predict", BODY, CONNECTIONS, 1)  # warm-up
        for _ in range(rounds):
            for kind, url in addresses.items():
                loads[kind].append(load.drive(f"{url}/predict", BODY, CONNECTIONS, seconds))
        memory = dict(
            zip(
                loads,
                (proportional_mib(each.pid), proportional_mib(shared.pid) + proportional_mib(process)),
                strict=True,
            )
        )
    return {kind: _figures(median_load(each), memory[kind]) for kind, each in loads.items()}


def _figures(middle: Load, memory: float) -> dict[str, float]:
    return {
        "images_per_second": round(middle.images_per_second, 1),
        "p50_ms": round(middle.p50_ms, 2),
        "p99_ms": round(middle.p99_ms, 2),
        "errors": middle.errors,
        "memory_mib": round(memory, 1),
    }


def proportional_mib(pid: int) -> float:
    """Memory of a process and all below it; a page that several share counts once among them."""
    root = psutil.Process(pid)
    processes = (root, *root.children(recursive=True))
    return float(sum(each.memory_full_info().pss for each in processes) / 2**20)


@contextmanager
def _engine() -> Iterator[tuple[int, str]]:
    """The engine's process, ready, and its socket."""
    with TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        address = f"{folder}/engine"
        command = [sys.executable, "-m", "tests.bench.shared_engine.process", str(BUNDLED_MODEL), address]
        process = subprocess.Popen(command, cwd=server.ROOT, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise BenchError("the engine's process did not become ready")
            yield process.pid, address
        finally:
            process.kill()
            process.communicate()


if __name__ == "__main__":
    sys.exit(main())
