"""How many images a second the service answers, how fast, and how near to the limits of this machine.

    python -m tests.bench.serving [--rounds 3] [--seconds 3] [--quick] [--cases '*/raw/*'] [--memory 100000]

Starts the real service with the settings in the environment and loads it case by case: image, form of the
upload, connections. In the same rounds it measures what bounds the service: the raw engine, decoding on one
core, and HTTP alone, which is the service with an engine that computes nothing. Every figure is the median
over the rounds. Load generator and service share the cores, as all is on one machine; compare the figures of
one run alone. Prints tables, and one JSON line last.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from statistics import median
from typing import Any

from tests.bench import limits, load, profile, server
from tests.bench.arithmetic import Load, best, median_load, ratio
from tests.bench.limits import Figures, Limits
from tests.bench.payloads import FORMS, pictures
from tests.bench.program import BenchError, machine, run, say, table
from tests.bench.server import Server

CONNECTIONS = (1, 8, 32)
MEMORY_CASE = "32x32-jpeg/multipart/32"
MEMORY_SAMPLES = 10
PACKAGES = ("torch", "openvino", "pillow", "fastapi", "uvicorn")


@dataclass(frozen=True)
class Case:
    """One image in one form over so many connections."""

    picture: str
    form: str
    connections: int

    @property
    def name(self) -> str:
        return f"{self.picture}/{self.form}/{self.connections}"

    def drive(self, address: str, seconds: int) -> Load:
        body = FORMS[self.form](pictures()[self.picture])
        return load.drive(f"{address}/predict", body, self.connections, seconds)


CASES = {
    case.name: case
    for case in (Case(name, form, number) for name in pictures() for form in FORMS for number in CONNECTIONS)
}


@dataclass
class Results:
    """What the rounds gave, each by the name of its case. `totals` are those of the most connections."""

    served: dict[str, list[Load]] = field(default_factory=dict)
    http: dict[str, list[Load]] = field(default_factory=dict)
    limits: list[Figures] = field(default_factory=list)
    totals: dict[str, profile.Totals] = field(default_factory=dict)


def main() -> int:
    options = _parse()
    return run(lambda: benchmark(options))


def benchmark(options: argparse.Namespace) -> dict[str, Any]:
    cases = choose(options.cases)
    noop = {"RESNET_SERVE_ENGINE": "openvino", "RESNET_SERVE_DEVICE": "cpu", "RESNET_SERVE_PRECISION": "auto"}
    with (
        server.running(server.OURS, {}) as served,
        limits.starting(os.environ) as process,
        server.running(("tests.bench.noop_server", "serve"), noop) as empty,
    ):
        alone = Limits(process)
        say(
            f"{alone.about} under {load.generator()}, {options.rounds} rounds of {options.seconds} s a case\n"
        )
        ready_mib = served.memory_mib()
        results = Results()
        for address in (served.address, empty.address):
            CASES[MEMORY_CASE].drive(address, 1)  # warm-up
        for number in range(options.rounds):
            say(f"round {number + 1} of {options.rounds} ...")
            for group in _by_picture(cases):
                results.limits.append(alone.measure(options.seconds / 4))
                _round(group, options.seconds, served.address, empty.address, results)
        loaded_mib = served.memory_mib()
        memory = _memory(served, options.memory) if options.memory else []
    figures = summarize(results)
    _print(figures)
    say(f"\nready {served.cold_start_seconds:.1f} s after its start; memory {ready_mib:.0f} MiB when ready,")
    say(f"{loaded_mib:.0f} MiB after these loads")
    for requests, mib in memory:
        say(f"{mib:8.1f} MiB after {requests} further requests")
    return {
        "benchmark": "serving",
        **machine(*PACKAGES),
        "load_generator": load.generator(),
        "serving": alone.about,
        "rounds": options.rounds,
        "seconds": options.seconds,
        **figures,
        "cold_start_seconds": round(served.cold_start_seconds, 2),
        "memory_mib": {"ready": round(ready_mib, 1), "loaded": round(loaded_mib, 1)},
        "memory_over_requests": [{"requests": n, "mib": round(mib, 1)} for n, mib in memory],
    }


def choose(patterns: Sequence[str]) -> list[Case]:
    """The cases whose name matches one of `patterns`. Raises `BenchError` if none does."""
    chosen = [case for name, case in CASES.items() if any(fnmatch(name, pattern) for pattern in patterns)]
    if not chosen:
        raise BenchError(f"--cases matches none of {', '.join(CASES)}")
    return chosen


def _by_picture(cases: Sequence[Case]) -> Iterator[list[Case]]:
    for picture in pictures():
        if group := [case for case in cases if case.picture == picture]:
            yield group


def _round(cases: Sequence[Case], seconds: int, served: str, empty: str, results: Results) -> None:
    for case in cases:
        most = case.connections == max(CONNECTIONS)
        before = profile.read_totals(served)
        results.served.setdefault(case.name, []).append(case.drive(served, seconds))
        if most:
            spent = profile.read_totals(served) - before
            earlier = results.totals.get(case.name)
            results.totals[case.name] = earlier + spent if earlier else spent
            results.http.setdefault(case.name, []).append(case.drive(empty, seconds))


def _memory(served: Server, requests: int) -> list[tuple[int, float]]:
    """Resident MiB at the start, after `requests` requests, and at some points between."""
    case, done = CASES[MEMORY_CASE], 0
    points = [(0, served.memory_mib())]
    while done < requests:
        while done < min(requests, len(points) * requests / MEMORY_SAMPLES):
            done += case.drive(served.address, 5 if requests > 10_000 else 1).requests
        points.append((done, served.memory_mib()))
    return points


def summarize(results: Results) -> dict[str, Any]:
    """The medians over all rounds, and every case's rate as a share of the raw engine's best one."""
    engine = {
        size: median(figures.engine[size] for figures in results.limits) for size in results.limits[0].engine
    }
    size, limit = best(engine.items())
    decoding = {
        name: median(figures.decoding[name] for figures in results.limits)
        for name in results.limits[0].decoding
    }
    loads = {name: median_load(rounds) for name, rounds in results.served.items()}
    return {
        "cases": {
            name: {**_rounded(found), "ratio_to_engine": ratio(found.images_per_second, limit)}
            for name, found in loads.items()
        },
        "engine": {"best_batch": size, "images_per_second": {str(n): round(r, 1) for n, r in engine.items()}},
        "decoding_images_per_second": {name: round(value, 1) for name, value in decoding.items()},
        "http_alone": {name: _rounded(median_load(rounds)) for name, rounds in results.http.items()},
        "profile_ms": {
            name: profile.milliseconds(totals, CASES[name].connections, loads[name].images_per_second)
            for name, totals in results.totals.items()
        },
        "images_per_batch": {
            name: round(totals.batched_images / totals.batches, 1) for name, totals in results.totals.items()
        },
    }


def _rounded(found: Load) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(found).items()}


def _print(figures: Mapping[str, Any]) -> None:
    header = ["case", "images/s", "of engine", "p50 ms", "p95 ms", "p99 ms", "HTTP alone"]
    rows = []
    for name, found in figures["cases"].items():
        times = [f"{found[time]:.1f}" for time in ("p50_ms", "p95_ms", "p99_ms")]
        empty = figures["http_alone"].get(name)
        http = f"{empty['images_per_second']:.0f}" if empty else ""
        rows.append(
            [name, f"{found['images_per_second']:.0f}", f"{found['ratio_to_engine']:.2f}", *times, http]
        )
    say("\n" + table(header, rows))
    engine = figures["engine"]["images_per_second"]
    say(
        "\n" + table(["engine alone, batch", *engine], [["images/s", *(f"{r:.0f}" for r in engine.values())]])
    )
    decoding = figures["decoding_images_per_second"]
    milliseconds = [f"{1000 / value:.2f}" for value in decoding.values()]
    say("\n" + table(["decoding alone, one core", *decoding], [["ms", *milliseconds]]))
    if figures["profile_ms"]:
        say(f"\nThe mean request at {max(CONNECTIONS)} connections\n")
        say(profile.profile_table(figures["profile_ms"]))
        sizes = ", ".join(f"{name} {size}" for name, size in figures["images_per_batch"].items())
        say(f"images in a batch: {sizes}")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="seconds of load for each case and round")
    parser.add_argument("--cases", nargs="+", default=["*"], help="patterns such as '32x32-jpeg/*/32'")
    parser.add_argument(
        "--memory", type=int, default=0, help="number of requests over which to measure memory"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one round of one second, for a first impression"
    )
    options = parser.parse_args()
    if options.quick:
        options.rounds = options.seconds = 1
    if options.rounds < 1 or options.seconds < 1 or options.memory < 0:
        parser.error("--rounds and --seconds must be at least 1, --memory at least 0")
    return options


if __name__ == "__main__":
    sys.exit(main())
