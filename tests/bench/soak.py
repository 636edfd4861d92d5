"""A service under good and bad requests for a long time: its responses, memory and descriptors.

    python -m tests.bench.soak [--minutes 20] [--every 60] [--clients 8]

The server is a process of its own on 127.0.0.1, with the settings of the environment. The clients ask without
pause, one kind of request after the other. A line for each interval counts the answers by status, and gives
the server's memory in MiB, its open descriptors and its threads; none of these may grow.

Prints one JSON object as its last line: the same, and the outcomes of each kind of request. An outcome that
is not one of the kind's own is `unexpected`, and leads to exit status 1.
"""

import argparse
import base64
import gzip
import http.client
import itertools
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from tests.bench.hostile_requests import FORM, JSON, ZIPPED, form, picture
from tests.bench.payloads import pictures
from tests.bench.program import BenchError, machine, run, say
from tests.bench.server import OURS, Server, running
from tests.bench.target import Target

PNG = {"Content-Type": "image/png"}
JPEG = {"Content-Type": "image/jpeg"}


@cache
def small() -> bytes:
    return pictures()["32x32-png"].content


@cache
def photo() -> bytes:
    return pictures()["640x480-jpeg"].content


@cache
def bomb() -> bytes:
    """A small file of 49 million pixels."""
    return picture(Image.new("RGBA", (7000, 7000), (255, 0, 0, 128)), "WEBP", lossless=True)


@cache
def v2_path(target: Target) -> str:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=60)
    connection.request("GET", "/models")
    return f"/v2/models/{json.loads(connection.getresponse().read())['models'][0]['name']}/infer"


def v2(target: Target) -> str:
    data = [base64.b64encode(small()).decode()] * 3
    tensor = {"name": "image_bytes", "datatype": "BYTES", "shape": [3], "data": data}
    return target.post(v2_path(target), json.dumps({"inputs": [tensor]}).encode(), JSON)


def many_inputs(target: Target) -> str:
    body = b'{"inputs":[' + b"{}," * 99_999 + b"{}]}"
    return target.post(v2_path(target), gzip.compress(body), ZIPPED)


def left_half_way(target: Target) -> str:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 9999\r\n\r\n"
    return target.send(head + small(), leave=True)


def left_waiting(target: Target) -> str:
    head = b"POST /explain HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    return target.send(head % len(photo()) + photo(), leave=True)


@dataclass(frozen=True)
class Kind:
    """A request, what may become of it, and how often it is sent where others are sent once."""

    send: Callable[[Target], str]
    outcomes: tuple[str, ...]
    share: int = 1


CLOSED = ("BrokenPipeError", "ConnectionResetError")
"""What a client may see that still sends when it has been answered."""

KINDS: dict[str, Kind] = {
    "small picture": Kind(lambda target: target.post("/predict", small(), PNG), ("200",), 8),
    "photo": Kind(lambda target: target.post("/predict", photo(), JPEG), ("200",), 4),
    "form of eight": Kind(lambda target: target.post("/predict", form(8, small()), FORM), ("200",), 4),
    "V2": Kind(v2, ("200",), 4),
    # Which not every network can be.
    "explain": Kind(lambda target: target.post("/explain", small(), PNG), ("200", "422")),
    "metrics": Kind(lambda target: target.ask("GET", "/metrics"), ("200",)),
    "damaged picture": Kind(lambda target: target.post("/predict", photo()[:9999], JPEG), ("400",), 2),
    "no picture": Kind(lambda target: target.post("/predict", b"x" * 5000, PNG), ("415",)),
    "too many pixels": Kind(lambda target: target.post("/predict", bomb(), PNG), ("413",)),
    "too large": Kind(lambda target: target.post("/predict", b"x" * 20_000_000, PNG), ("413", *CLOSED)),
    "no form": Kind(lambda target: target.post("/predict", b"x" * 100_000, FORM), ("400",)),
    "semicolons": Kind(lambda target: target.post("/predict", form(99, b"x", b";" * 3900), FORM), ("400",)),
    "many inputs": Kind(many_inputs, ("400", "422")),
    "no such path": Kind(lambda target: target.ask("GET", "/no-such-path"), ("404",)),
    "left half-way": Kind(left_half_way, ("left",)),
    "left waiting": Kind(left_waiting, ("left",)),
}

REFUSED = ("429",)
"""May become of any of them: there is only so much room."""


@dataclass(frozen=True)
class Sample:
    """At the end of an interval. `statuses` are those of the interval."""

    seconds: float
    statuses: dict[str, int]
    memory_mib: float
    descriptors: int
    threads: int


class Clients:
    """Ask one kind after the other, in the same order whatever the answers; each kind at least once."""

    def __init__(self, target: Target, until: float) -> None:
        self._target = target
        self._until = until
        order = [name for name, kind in KINDS.items() for _ in range(kind.share)]
        self._order = itertools.cycle(order)
        self._left_of_first_round = len(order)
        self._lock = threading.Lock()
        self.outcomes: Counter[tuple[str, str]] = Counter()

    def ask(self) -> None:
        while True:
            with self._lock:
                if time.monotonic() > self._until and self._left_of_first_round <= 0:
                    return
                self._left_of_first_round -= 1
                name = next(self._order)
            outcome = KINDS[name].send(self._target)
            with self._lock:
                self.outcomes[name, outcome] += 1

    def statuses(self) -> Counter[str]:
        with self._lock:
            counted: Counter[str] = Counter()
            for (_, outcome), count in self.outcomes.items():
                counted[outcome] += count
            return counted


def unexpected(outcomes: Counter[tuple[str, str]]) -> dict[str, int]:
    """Outcomes that are not those of their kind, such as `photo: 500`, and how many there were."""
    return {
        f"{name}: {outcome}": count
        for (name, outcome), count in sorted(outcomes.items())
        if outcome not in (*KINDS[name].outcomes, *REFUSED)
    }


def soak(minutes: float, every: float, clients: int) -> dict[str, Any]:
    """Raises `BenchError` if there were unexpected outcomes, after a line for each interval."""
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as folder, running(OURS, {"TMPDIR": folder}) as server:
        start = time.monotonic()
        asking = Clients(Target.of(server, Path(folder)), start + 60 * minutes)
        with ThreadPoolExecutor(clients) as pool:
            futures = [pool.submit(asking.ask) for _ in range(clients)]
            before: Counter[str] = Counter()
            have_ended = False
            while not have_ended:
                ends = start + every * (len(samples) + 1)
                # What ends after this was asked is counted by one sample more.
                while (
                    not (have_ended := all(future.done() for future in futures)) and time.monotonic() < ends
                ):
                    time.sleep(0.1)
                now = asking.statuses()
                samples.append(_sample(server, time.monotonic() - start, now - before))
                before = now
                say(json.dumps(asdict(samples[-1])))
        for future in futures:
            future.result()
        server_lives = psutil.pid_exists(server.pid)
    if not server_lives:
        raise BenchError("the server has ended")
    wrong = unexpected(asking.outcomes)
    return {
        "machine": machine("openvino", "torch", "uvicorn"),
        "minutes": minutes,
        "clients": clients,
        "samples": [asdict(sample) for sample in samples],
        "outcomes": {
            name: {outcome: count for (kind, outcome), count in asking.outcomes.items() if kind == name}
            for name in KINDS
        },
        "unexpected": wrong,
    }


def _sample(server: Server, seconds: float, statuses: Counter[str]) -> Sample:
    root = psutil.Process(server.pid)
    processes = [root, *root.children(recursive=True)]
    return Sample(
        round(seconds, 1),
        dict(sorted(statuses.items())),
        round(server.memory_mib(), 1),
        sum(process.num_fds() for process in processes),
        sum(process.num_threads() for process in processes),
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=20, help="duration in minutes (default: 20)")
    parser.add_argument("--every", type=float, default=60, help="seconds between two lines (default: 60)")
    parser.add_argument("--clients", type=int, default=8, help="concurrent clients (default: 8)")
    options = parser.parse_args(arguments)
    if not (options.minutes > 0 and options.every > 0 and options.clients > 0):
        parser.error("--minutes, --every and --clients must be above 0")
    found: dict[str, Any] = {}
    status = run(lambda: found.setdefault("figures", soak(options.minutes, options.every, options.clients)))
    return status or int(bool(found["figures"]["unexpected"]))


if __name__ == "__main__":
    sys.exit(main())
