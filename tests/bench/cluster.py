"""What replicas by Ray Serve cost against one process, and whether ingress and model are better apart.

    python -m tests.bench.cluster

serves the bundled model by the own server, and by Ray Serve with one replica, with two, and with ingress and
model as two deployments. All stand at the same time on the same cores and are loaded in turn, in rounds. One
JSON line: medians of images a second, p50 in ms, and milliseconds of processor time for an image.
"""

import argparse
import statistics
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psutil

from app.settings import BUNDLED_MODEL, Settings
from tests.bench import program, server
from tests.bench.load import drive
from tests.bench.payloads import multipart, pictures
from tests.support.free_port import free_port

LOADS = (("32x32-jpeg", 1), ("32x32-jpeg", 32), ("640x480-jpeg", 32))
"""A picture, and by how many connections it is sent."""

ONE_PROCESS = "one process"


def benchmark(rounds: int, seconds: int) -> Mapping[str, Any]:
    figures: dict[str, dict[str, list[Mapping[str, float]]]] = {}
    with server.running(server.OURS, {}) as ours, _on_ray() as deployed:
        addresses = {ONE_PROCESS: ours.address, **deployed}
        own = psutil.Process(ours.pid)
        # The first round is none: nothing in those that count is the first of its kind.
        for number in range(rounds + 1):
            for name, address in addresses.items():
                for picture, connections in LOADS:
                    load = f"{picture}, {connections} connections"
                    servers = [own] if name == ONE_PROCESS else _all_but(own)
                    found = _measure(address, servers, picture, connections, seconds if number else 1)
                    if number:
                        program.say(f"{load}, {name}: {found}")
                        figures.setdefault(load, {}).setdefault(name, []).append(found)
    medians = {
        load: {name: _median(measured) for name, measured in of_load.items()}
        for load, of_load in figures.items()
    }
    for load, of_load in medians.items():
        rows = [[name, *(str(value) for value in found.values())] for name, found in of_load.items()]
        program.say("\n" + program.table([load, *next(iter(of_load.values()))], rows))
    return {"benchmark": "cluster", "loads": medians, "machine": program.machine("ray", "openvino")}


def _all_but(own: psutil.Process) -> list[psutil.Process]:
    """The processes of Ray: of all that was started from here."""
    return [each for each in psutil.Process().children(recursive=True) if each != own]


def _measure(
    address: str, servers: list[psutil.Process], picture: str, connections: int, seconds: int
) -> Mapping[str, float]:
    before = _processor_seconds(servers)
    load = drive(f"{address}/predict", multipart(pictures()[picture]), connections, seconds)
    return {
        "images_per_second": round(load.images_per_second, 1),
        "p50_ms": round(load.p50_ms, 1),
        "processor_ms": round(1000 * (_processor_seconds(servers) - before) / load.requests, 2),
    }


def _processor_seconds(servers: list[psutil.Process]) -> float:
    spent = 0.0
    for process in servers:
        with suppress(psutil.NoSuchProcess):  # Ray ends those that it has no more use for
            times = process.cpu_times()
            spent += times.user + times.system
    return spent


def _median(measured: list[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in measured) for name in measured[0]}


@contextmanager
def _on_ray() -> Iterator[dict[str, str]]:
    """Each way to deploy on a Ray cluster of this machine, with its address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        from ray import serve

        from app.cluster import application
        from tests.bench import split_deployment
    options = {"ray_actor_options": {"num_cpus": 0.1}}
    settings = Settings(model_dir=BUNDLED_MODEL)
    bound = application({"model_dir": str(BUNDLED_MODEL)})._bound_deployment
    ways = {
        "1 replica": bound.options(num_replicas=1, **options).bind(*bound.init_args),
        "2 replicas": bound.options(num_replicas=2, **options).bind(*bound.init_args),
        "1 ingress, 1 model": split_deployment.application(settings, 1, options),
        "2 ingresses, 1 model": split_deployment.application(settings, 2, options),
    }
    port = free_port()
    ray.init("local", num_cpus=2, object_store_memory=10**8, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        addresses = {}
        for number, (name, way) in enumerate(ways.items()):
            serve.run(way, name=f"way-{number}", route_prefix=f"/way-{number}")
            addresses[f"Ray Serve, {name}"] = f"http://127.0.0.1:{port}/way-{number}"
        yield addresses
    finally:
        serve.shutdown()
        ray.shutdown()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds of load for each case (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=int, default=3, help="seconds of each load (default: %(default)s)")
    options = parser.parse_args()
    return program.run(lambda: benchmark(options.rounds, options.seconds))


if __name__ == "__main__":
    sys.exit(main())
