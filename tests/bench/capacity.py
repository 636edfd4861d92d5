"""Whether the simulation behind `resnet-serve capacity` predicts the measured latency.

    python -m tests.bench.capacity [--engine timer] [--save FILE]

measures a service as the command does, predicts the 99th percentile at 50, 70 and 90 % of what it can, and
then measures that with requests that come at random: the same arrivals in both, as a minute at high load
depends on them. The service has half of the cores, and the program that sends the requests the others.
One JSON line: each load with both, and the error, medians over several series of arrivals.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.capacity.measurement import measure
from app.capacity.profile import write_profile
from app.capacity.simulation import Replica
from tests.bench import program, server
from tests.bench.payloads import SAMPLE, pictures, raw

LOADS = (0.5, 0.7, 0.9)
SECONDS = 30
SERIES = 3
"""Of arrivals, for each load."""


ENGINES: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {
    "own": (server.OURS, {}),
    "timer": (("tests.bench.noop_server", "serve"), {"BATCH_SECONDS": "0.008", "IMAGE_SECONDS": "0.005"}),
}
"""What is served, each with its environment. The second takes the same time always, whatever else is
computed on this machine and beside it, and so shows how good the simulation is by itself."""


def benchmark(engine: str, save: Path | None, seconds: int) -> Mapping[str, Any]:
    machine = program.machine("openvino")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise program.BenchError("this takes two cores: one for the service, one for who sends the requests")
    of_the_service = cores[: len(cores) // 2]
    os.sched_setaffinity(0, of_the_service)
    module, environment = ENGINES[engine]
    with server.running(module, environment) as running:
        os.sched_setaffinity(0, cores[len(cores) // 2 :])
        profile = measure(running.address, SAMPLE, cores=len(of_the_service))
        if save is not None:
            write_profile(profile, save)
        replica = Replica(profile)
        found = [_compare(replica, running.address, load, seconds) for load in LOADS]
        after = measure(running.address, SAMPLE).images_per_second
    return {
        "benchmark": "capacity",
        "engine": engine,
        "images_per_second": round(profile.images_per_second, 1),
        "images_per_second_after": round(after, 1),
        "loads": found,
        "largest_error": max(abs(each["error"]) for each in found),
        "machine": {**machine, "cores_of_the_service": len(of_the_service)},
    }


def _compare(replica: Replica, address: str, load: float, seconds: int) -> dict[str, float]:
    rate = load * replica.profile.images_per_second
    predicted, measured = [], []
    for seed in range(1, SERIES + 1):
        latencies = sorted(_measured(address, rate, seconds, seed))
        measured.append(latencies[int(0.99 * len(latencies))])
        predicted.append(replica.p99(rate, len(latencies), seed))
        program.say(
            f"{load:.0%}: p99 {1000 * predicted[-1]:.1f} ms predicted, {1000 * measured[-1]:.1f} ms measured"
        )
    middle, actual = statistics.median(predicted), statistics.median(measured)
    return {
        "load": load,
        "predicted_ms": round(1000 * middle, 2),
        "measured_ms": round(1000 * actual, 2),
        "error": round(middle / actual - 1, 3),
    }


def _measured(address: str, rate: float, seconds: int, seed: int) -> list[float]:
    """Latencies in seconds, of requests that come at random. Raises `BenchError` if one gets no result."""
    parts, body = urlsplit(address), raw(pictures()["32x32-png"])
    command = [sys.executable, "-m", "tests.bench.open_loop", str(parts.hostname), str(parts.port)]
    command += ["/predict", body.content_type, str(rate), str(seconds), str(seed)]
    done = subprocess.run(command, input=body.content, capture_output=True)
    if done.returncode:
        raise program.BenchError(done.stderr.decode(errors="replace").strip()[-300:])
    outcomes = json.loads(done.stdout)
    if any(status != 200 for status, *_ in outcomes):
        raise program.BenchError("a request got no result")
    return [latency for _, latency, *_ in outcomes]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--engine", choices=ENGINES, default="own", help="what computes (default: %(default)s)"
    )
    parser.add_argument("--save", type=Path, help="file to write the measurements to")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, help="seconds of each load (default: %(default)s)"
    )
    options = parser.parse_args()
    return program.run(lambda: benchmark(options.engine, options.save, options.seconds))


if __name__ == "__main__":
    sys.exit(main())
