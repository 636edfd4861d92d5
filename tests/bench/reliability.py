"""What happens to requests when the service is overloaded, loads models, or loses processes.

    python -m tests.bench.reliability [--quick] [PART ...]

`overload`: with as many connections as it admits requests, the service is at its capacity; then requests
come at twice that rate, whether it answers or not, and each that is refused tries again once, when
Retry-After says.
`reloads`: under load the bundled model is loaded anew, again and again, by all workers.
`kills`: under load one of two workers is killed, again and again; the clients are `app.client`, which send a
request again whose connection broke. How many did is counted.

Prints one JSON object as its last line.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from app.client import Client, ServiceError
from tests.bench.arithmetic import percentile
from tests.bench.load import drive
from tests.bench.open_loop import Outcome
from tests.bench.payloads import Body, pictures
from tests.bench.program import BenchError, machine, run, say
from tests.bench.server import OURS, ROOT, Server, running

ADMITTED = 64
"""MAX_CONCURRENT_REQUESTS of the overloaded service."""

CLIENTS = 8
REPOSITORY = ROOT / "models" / "weights"
MODEL = "resnet18-cifar10"
PATIENCE_SECONDS = 120


def overload(*, quick: bool) -> dict[str, Any]:
    """Twice the capacity: what is accepted is answered as fast as at capacity, the rest refused at once."""
    seconds = 3 if quick else 30
    picture = pictures()["32x32-jpeg"]
    body = Body(f"image/{picture.kind}", picture.content)
    with running(OURS, {"RESNET_SERVE_MAX_CONCURRENT_REQUESTS": str(ADMITTED)}) as server:
        url = f"{server.address}/predict"
        capacity = drive(url, body, ADMITTED, seconds)
        say(f"capacity: {capacity.images_per_second:.0f} images/s, p99 {capacity.p99_ms:.0f} ms")
        outcomes = _open_loop(url, body, 2 * capacity.images_per_second, seconds)
        left = httpx.get(f"{server.address}/health/ready").status_code
    statuses = Counter(status for status, *_ in outcomes)
    accepted = [latency * 1000 for status, latency, _, again in outcomes if status == 200 and not again]
    refused = [latency * 1000 for status, latency, *_ in outcomes if status == 429]
    tries = [status for status, *_, again in outcomes if again]
    return {
        "seconds": seconds,
        "max_concurrent_requests": ADMITTED,
        "capacity_images_per_second": capacity.images_per_second,
        "capacity_p99_ms": capacity.p99_ms,
        "offered_per_second": len(outcomes) / seconds,
        "statuses": {str(status): count for status, count in sorted(statuses.items())},
        "accepted_p50_ms": percentile(accepted, 50),
        "accepted_p99_ms": percentile(accepted, 99),
        "p99_over_capacity_p99": percentile(accepted, 99) / capacity.p99_ms,
        "refused_p50_ms": percentile(refused, 50) if refused else None,
        "refused_p99_ms": percentile(refused, 99) if refused else None,
        "named_seconds": sorted({named for *_, named, _ in outcomes if named is not None}),
        "second_tries": len(tries),
        "second_tries_accepted": tries.count(200),
        "without_answer": statuses[0] + statuses[-1],
        "ready_afterwards": left == httpx.codes.OK,
    }


def _open_loop(
    url: str, body: Body, rate: float, seconds: float
) -> list[tuple[int, float, int | None, bool]]:
    parts = urlsplit(url)
    command = [sys.executable, "-m", "tests.bench.open_loop", str(parts.hostname), str(parts.port)]
    done = subprocess.run(
        [*command, parts.path, body.content_type, str(rate), str(seconds)],
        input=body.content,
        capture_output=True,
        timeout=seconds + PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"the load failed: {done.stderr.decode()[-300:].strip()}")
    outcomes: list[Outcome] = json.loads(done.stdout)
    return outcomes


def reloads(*, quick: bool) -> dict[str, Any]:
    """Loading a model anew, by all workers, while both of them serve it."""
    times = 2 if quick else 20
    settings = {
        "RESNET_SERVE_MODEL_REPOSITORY": str(REPOSITORY),
        "RESNET_SERVE_MANAGEMENT": "true",
        "WORKERS": "2",
    }
    with running(OURS, settings) as server:
        before, seconds = server.memory_mib(), list[float]()
        with (
            _asking(server) as asked,
            httpx.Client(base_url=server.address, timeout=PATIENCE_SECONDS) as client,
        ):
            for number in range(times):
                start = time.perf_counter()
                answer = client.post(f"/v2/repository/models/{MODEL}/load")
                if answer.status_code != httpx.codes.OK:
                    raise BenchError(f"load {number + 1} was refused: {answer.text[:300]}")
                seconds.append(time.perf_counter() - start)
                say(f"reload {number + 1}: {seconds[-1]:.1f} s, {asked.answered} answered")
        after = server.memory_mib()
    return {
        "reloads": times,
        "seconds_each": percentile(seconds, 50),
        "answered": asked.answered,
        "failed": asked.failed,
        "connections_broken": asked.broken,
        "memory_mib_before": before,
        "memory_mib_after": after,
    }


def kills(*, quick: bool) -> dict[str, Any]:
    """SIGKILL for one of two workers, and the next when both are there again."""
    times = 2 if quick else 20
    with running(OURS, {"WORKERS": "2"}) as server, _asking(server) as asked:
        for number in range(times):
            victim = _workers(server)[number % 2]
            time.sleep(1)
            os.kill(victim, signal.SIGKILL)
            _wait_for_two(server, victim)
            say(f"kill {number + 1}: {asked.answered} answered, {asked.broken} connections broken")
    return {
        "kills": times,
        "answered": asked.answered,
        "without_answer": asked.failed,
        "connections_broken": asked.broken,
        "longest_seconds": asked.longest,
    }


class Asked:
    """What the clients saw."""

    def __init__(self) -> None:
        self.answered = self.failed = self.broken = 0
        self.longest = 0.0


class _Counting(httpx.HTTPTransport):
    """Counts connections that break, which `app.client` makes good by asking again."""

    def __init__(self, asked: Asked) -> None:
        super().__init__()
        self._asked = asked

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return super().handle_request(request)
        except httpx.TransportError:
            self._asked.broken += 1
            raise


@contextmanager
def _asking(server: Server) -> Iterator[Asked]:
    """Clients classify an image without a pause meanwhile."""
    asked, stop = Asked(), threading.Event()
    image = pictures()["32x32-jpeg"].content

    def ask() -> None:
        with Client(server.address, transport=_Counting(asked), timeout=PATIENCE_SECONDS) as client:
            while not stop.is_set():
                start = time.perf_counter()
                try:
                    client.predict(image)
                    asked.answered += 1
                except ServiceError as error:
                    asked.failed += 1
                    say(f"without an answer: {error}")
                asked.longest = max(asked.longest, time.perf_counter() - start)

    with ThreadPoolExecutor(CLIENTS) as pool:
        futures = [pool.submit(ask) for _ in range(CLIENTS)]
        try:
            yield asked
        finally:
            stop.set()
        for future in futures:
            future.result()


def _workers(server: Server) -> list[int]:
    """The process ids of the workers; another child of the parent only tidies up."""
    return [child.pid for child in psutil.Process(server.pid).children() if _is_worker(child)]


def _is_worker(child: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(child.cmdline())
    except psutil.Error:  # it has just ended
        return False


def _wait_for_two(server: Server, killed: int) -> None:
    """Until the one that takes the place of `killed` listens."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        pids = _workers(server)
        if killed not in pids and len(pids) == 2 and all(_listens(pid) for pid in pids):
            return
        time.sleep(0.1)
    raise BenchError(f"a killed worker was not replaced within {PATIENCE_SECONDS} s")


def _listens(pid: int) -> bool:
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:
        return False
    return any(connection.status == psutil.CONN_LISTEN for connection in connections)


PARTS: dict[str, Callable[..., Mapping[str, Any]]] = {
    "overload": overload,
    "reloads": reloads,
    "kills": kills,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reliability", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"parts to run (default: all): {', '.join(PARTS)}"
    )
    parser.add_argument("--quick", action="store_true", help="only a few seconds of each part")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    parts = options.parts or list(PARTS)
    return run(
        lambda: {
            "machine": machine("torch", "openvino", "uvicorn"),
            **{part: PARTS[part](quick=options.quick) for part in parts},
        }
    )


if __name__ == "__main__":
    sys.exit(main())
