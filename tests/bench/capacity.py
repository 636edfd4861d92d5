"""Whether the simulation behind `resnet-serve capacity` predicts the measured latency.

    python -m tests.bench.capacity [--save FILE]

measures a service as the command does, predicts the 99th percentile at 50, 70 and 90 % of what it can, and
then measures that with requests that come at random. One JSON line: each load with both, and the error.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
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


def benchmark(save: Path | None, seconds: int) -> Mapping[str, Any]:
    with server.running(server.OURS, {}) as ours:
        profile = measure(ours.address, SAMPLE)
        if save is not None:
            write_profile(profile, save)
        replica = Replica(profile)
        found = [_compare(replica, ours.address, load, seconds) for load in LOADS]
        after = measure(ours.address, SAMPLE).images_per_second
    return {
        "benchmark": "capacity",
        "images_per_second": round(profile.images_per_second, 1),
        "images_per_second_after": round(after, 1),
        "loads": found,
        "largest_error": max(abs(each["error"]) for each in found),
        "machine": program.machine("openvino"),
    }


def _compare(replica: Replica, address: str, load: float, seconds: int) -> dict[str, float]:
    rate = load * replica.profile.images_per_second
    predicted = replica.p99(rate)
    latencies = sorted(_measured(address, rate, seconds))
    measured = latencies[int(0.99 * len(latencies))]
    program.say(f"{load:.0%}: p99 {1000 * predicted:.1f} ms predicted, {1000 * measured:.1f} ms measured")
    return {
        "load": load,
        "predicted_ms": round(1000 * predicted, 2),
        "measured_ms": round(1000 * measured, 2),
        "error": round(predicted / measured - 1, 3),
    }


def _measured(address: str, rate: float, seconds: int) -> list[float]:
    """Latencies in seconds, of requests that come at random. Raises `BenchError` if one gets no result."""
    parts, body = urlsplit(address), raw(pictures()["32x32-png"])
    command = [sys.executable, "-m", "tests.bench.open_loop", str(parts.hostname), str(parts.port)]
    command += ["/predict", body.content_type, str(rate), str(seconds), "1"]
    done = subprocess.run(command, input=body.content, capture_output=True)
    if done.returncode:
        raise program.BenchError(done.stderr.decode(errors="replace").strip()[-300:])
    outcomes = json.loads(done.stdout)
    if any(status != 200 for status, *_ in outcomes):
        raise program.BenchError("a request got no result")
    return [latency for _, latency, *_ in outcomes]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--save", type=Path, help="file to write the measurements to")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, help="seconds of each load (default: %(default)s)"
    )
    options = parser.parse_args()
    return program.run(lambda: benchmark(options.save, options.seconds))


if __name__ == "__main__":
    sys.exit(main())
