"""What replicas by Ray Serve cost against one process, in one run.

    python -m tests.bench.cluster

serves the bundled model by the own server, and by Ray Serve with one replica, with two, and with ingress and
model as two deployments, one after the other on the same cores, with 1 and with 32 connections. One JSON
line: images a second, and p50 in ms.
"""

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from app.settings import BUNDLED_MODEL
from tests.bench import program, server
from tests.bench.load import drive
from tests.bench.payloads import multipart, pictures

CONNECTIONS = (1, 32)
SECONDS = 5
SETTINGS = {"model_dir": str(BUNDLED_MODEL)}


def benchmark() -> Mapping[str, Any]:
    with server.running(server.OURS, {}) as ours:
        found = {"one process": _measure(ours.address)}
    found["Ray Serve, 1 replica"] = _measure_ray(partial(_replicas, 1))
    found["Ray Serve, 2 replicas"] = _measure_ray(partial(_replicas, 2))
    found["Ray Serve, ingress and model apart"] = _measure_ray(_two_deployments)
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


def _measure_ray(deployed: Callable[[], Any]) -> dict[str, dict[str, float]]:
    """What `deployed` makes, which is called on a cluster."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        from ray import serve
    port = server.free_port()
    ray.init(num_cpus=2, object_store_memory=100_000_000, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        serve.run(deployed())
        return _measure(f"http://127.0.0.1:{port}")
    finally:
        serve.shutdown()
        ray.shutdown()


def _replicas(number: int) -> Any:  # noqa: ANN401 (of Ray, which is not in every environment)
    from app.cluster import application

    bound = application(SETTINGS)._bound_deployment
    options = {"num_replicas": number, "ray_actor_options": {"num_cpus": 0.5}}
    return bound.options(**options).bind(*bound.init_args)


def _two_deployments() -> Any:  # noqa: ANN401
    from tests.bench.split_deployment import application

    return application(SETTINGS)


if __name__ == "__main__":
    sys.exit(program.run(benchmark))
