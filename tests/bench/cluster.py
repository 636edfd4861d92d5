"""What replicas by Ray Serve cost against one process, in one run.

    python -m tests.bench.cluster

serves the bundled model by the own server, and by Ray Serve with one and with two replicas, one after the
other on the same cores, with 1 and with 32 connections. One JSON line: images a second, and p50 in ms.
"""

import sys
import warnings
from collections.abc import Mapping
from typing import Any

from app.settings import BUNDLED_MODEL
from tests.bench import program, server
from tests.bench.load import drive
from tests.bench.payloads import multipart, pictures

CONNECTIONS = (1, 32)
SECONDS = 5


def benchmark() -> Mapping[str, Any]:
    with server.running(server.OURS, {}) as ours:
        found = {"one process": _measure(ours.address)}
    for replicas in (1, 2):
        found[f"Ray Serve, {replicas} replicas"] = _measure_ray(replicas)
    return {"benchmark": "cluster", "servers": found, "machine": program.machine("ray", "openvino")}


def _measure(address: str) -> dict[str, dict[str, float]]:
    body = multipart(pictures()["32x32-jpeg"])
    drive(f"{address}/predict", body, 8, 2)  # so that nothing is the first of its kind
    figures = {}
    for connections in CONNECTIONS:
        load = drive(f"{address}/predict", body, connections, SECONDS)
        figures[str(connections)] = {
            "images_per_second": round(load.images_per_second, 1),
            "p50_ms": round(load.p50_ms, 1),
        }
        program.say(f"{connections} connections: {figures[str(connections)]}")
    return figures


def _measure_ray(replicas: int) -> dict[str, dict[str, float]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        from ray import serve

        from app.cluster import application
    port = server.free_port()
    ray.init(num_cpus=2, object_store_memory=100_000_000, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        bound = application({"model_dir": str(BUNDLED_MODEL)})._bound_deployment
        options = {"num_replicas": replicas, "ray_actor_options": {"num_cpus": 0.5}}
        serve.run(bound.options(**options).bind(*bound.init_args))
        return _measure(f"http://127.0.0.1:{port}")
    finally:
        serve.shutdown()
        ray.shutdown()


if __name__ == "__main__":
    sys.exit(program.run(benchmark))
