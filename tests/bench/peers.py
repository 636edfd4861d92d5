"""This service and others around the same model, in turn on one machine, under the same load.

    python -m tests.bench.peers [--rounds 3] [--seconds 3] [--peers mosec litserve] [--int8 FILE]

Of the same int8 file: this service, mosec and LitServe. Of the network in PyTorch float32, without int8: this
service with torch, and plain FastAPI. How each is set up stands in `tests/bench/peer_servers`. One
server runs at a time; every figure is the median over the rounds. A peer that is not installed is skipped:
the extra `bench` has them all. Prints a table, and one JSON line last.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import load, server
from tests.bench.arithmetic import Load, median_load
from tests.bench.payloads import FORMS, pictures
from tests.bench.peer_servers.classifier import INT8_NETWORK, int8_file
from tests.bench.program import BenchError, installed, machine, run, say, table

CASES = (("32x32-jpeg", 1), ("32x32-jpeg", 32), ("640x480-jpeg", 32))
"""Images, and connections."""


@dataclass(frozen=True)
class Peer:
    """A server: the module that runs it, the package it is of, and the form in which it takes images."""

    engine: str
    module: Sequence[str] = server.OURS
    package: str | None = None
    form: str = "multipart"
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_path: str = "/health/ready"


INT8 = {"RESNET_SERVE_ENGINE": "openvino", "RESNET_SERVE_PRECISION": "int8", "RESNET_SERVE_DEVICE": "cpu"}
EAGER = {"RESNET_SERVE_ENGINE": "torch", "RESNET_SERVE_PRECISION": "float32", "RESNET_SERVE_DEVICE": "cpu"}

MOSEC = ("tests.bench.peer_servers.mosec_server",)

PEERS: dict[str, Peer] = {
    "ours": Peer("OpenVINO int8", environment=INT8),
    "ours-raw": Peer("OpenVINO int8", form="raw", environment=INT8),
    "ours-two-workers": Peer("OpenVINO int8", environment={**INT8, "WORKERS": "2"}),
    "mosec": Peer("OpenVINO int8", MOSEC, package="mosec", ready_path="/"),
    "mosec-raw": Peer("OpenVINO int8", MOSEC, package="mosec", form="raw", ready_path="/"),
    "litserve": Peer(
        "OpenVINO int8",
        ("tests.bench.peer_servers.litserve_server",),
        package="litserve",
        ready_path="/health",
    ),
    "ours-torch": Peer("PyTorch float32", environment=EAGER),
    "plain-fastapi": Peer(
        "PyTorch float32", ("tests.bench.peer_servers.plain_fastapi",), ready_path="/health"
    ),
}


def main() -> int:
    options = _parse()
    return run(lambda: benchmark(options.peers, options.rounds, options.seconds, options.int8))


def benchmark(names: Sequence[str], rounds: int, seconds: int, int8: Path | None) -> dict[str, Any]:
    skipped = {name: reason for name in names if (reason := why_not(PEERS[name]))}
    chosen = [name for name in names if name not in skipped]
    environment = {INT8_NETWORK: str(int8)} if int8 else {}
    if not int8_file(environment).is_file():
        raise BenchError(f"{int8_file(environment)} is missing: export the model with int8, or give --int8")
    for name, reason in skipped.items():
        say(f"{name} is skipped: {reason}")
    loads: dict[str, dict[str, list[Load]]] = {name: {} for name in chosen}
    answers = Answers()
    memory: dict[str, float] = {}
    for number in range(rounds):
        for name in chosen:
            say(f"round {number + 1} of {rounds}: {name} ...")
            memory[name] = _measure(PEERS[name], environment, seconds, loads[name], answers)
    medians = {
        name: {case: median_load(found) for case, found in cases.items()} for name, cases in loads.items()
    }
    _print(medians, memory)
    return {
        "benchmark": "peers",
        **machine("mosec", "litserve", "fastapi", "uvicorn", "openvino", "torch"),
        "load_generator": load.generator(),
        "rounds": rounds,
        "seconds": seconds,
        "peers": {
            name: {
                "engine": PEERS[name].engine,
                "form": PEERS[name].form,
                "memory_mib": round(memory[name], 1),
                "cases": {
                    case: {key: round(value, 3) for key, value in asdict(found).items()}
                    for case, found in cases.items()
                },
            }
            for name, cases in medians.items()
        },
        "skipped": skipped,
    }


def why_not(peer: Peer) -> str | None:
    """Why a peer cannot be measured here, or None if it can."""
    if peer.package and installed(peer.package) is None:
        return f"{peer.package} is not installed; the extra `bench` brings it"
    return None


class Answers:
    """What the first server of each engine answered to each picture; the others have to answer the same."""

    TOLERANCE = 0.02
    """Of a probability: in int8 a batch of another size can round a value the other way."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], tuple[str, float]] = {}

    def require_same(self, peer: Peer, picture: str, answer: dict[str, Any]) -> None:
        """Raises `BenchError` for another class or another probability than the first server's."""
        best = answer["predictions"][0]["top"][0]
        label, probability = self._first.setdefault(
            (peer.engine, picture), (best["label"], best["probability"])
        )
        if best["label"] != label or abs(best["probability"] - probability) > self.TOLERANCE:
            raise BenchError(
                f"{peer.module[0]} takes {picture} for {best['label']} ({best['probability']:.3f}), "
                f"the server before it with {peer.engine} for {label} ({probability:.3f})"
            )


def _measure(
    peer: Peer,
    environment: Mapping[str, str],
    seconds: int,
    loads: dict[str, list[Load]],
    answers: Answers,
) -> float:
    with server.running(peer.module, {**environment, **peer.environment}, peer.ready_path) as running:
        url = f"{running.address}/predict"
        for warm_up in (True, False):
            for picture, connections in CASES:
                body = FORMS[peer.form](pictures()[picture])
                answers.require_same(peer, picture, load.check(url, body))
                # As long as the rest: the slowest of them answer no one of 32 within a second.
                found = load.drive(url, body, connections, seconds)
                if not warm_up:
                    loads.setdefault(f"{picture}/{connections}", []).append(found)
        return running.memory_mib()


def _print(medians: Mapping[str, Mapping[str, Load]], memory: Mapping[str, float]) -> None:
    header = ["server", "engine", "form", *(f"{picture}/{number}" for picture, number in CASES), "MiB"]
    rows = [
        [
            name,
            PEERS[name].engine,
            PEERS[name].form,
            *(
                f"{found.images_per_second:.0f} ({found.p50_ms:.1f}, {found.p99_ms:.1f})"
                for found in cases.values()
            ),
            f"{memory[name]:.0f}",
        ]
        for name, cases in medians.items()
    ]
    say("\nimages/s (p50, p99 in ms) by image and connections\n")
    say(table(header, rows))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="seconds of load for each case and round")
    parser.add_argument("--peers", nargs="+", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--int8", type=Path, help="int8 file for mosec and LitServe instead of the model's")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds must be at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
