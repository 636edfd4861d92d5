"""How close binary tensors of the Open Inference Protocol come to the rate of the engine alone.

    python -m tests.bench.binary [--batch 32] [--rounds 3] [--seconds 3]

One connection sends batches of UINT8 pixels, one request after the other. In the same rounds the engine alone
is measured. Prints the share, and one JSON line last.
"""

import argparse
import asyncio
import json
import os
import sys
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

from tests.bench import limits, server
from tests.bench.arithmetic import best, load_of, ratio
from tests.bench.limits import Limits
from tests.bench.program import BenchError, machine, run, say
from tests.bench.serving import PACKAGES
from tests.bench.socket_client import drive

HEADER_LENGTH = "Inference-Header-Content-Length"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    options = parser.parse_args()
    return run(lambda: benchmark(options.batch, options.rounds, options.seconds))


def benchmark(batch: int, rounds: int, seconds: int) -> dict[str, Any]:
    with server.running(server.OURS, {}) as served, limits.starting(os.environ) as process:
        request = request_of(served.address, batch)
        parts = urlsplit(served.address)
        assert parts.hostname is not None
        assert parts.port is not None
        alone = Limits(process)
        rates, engine = [], []
        asyncio.run(drive(parts.hostname, parts.port, request, 1, 1))  # warm-up
        for _ in range(rounds):
            engine.append(best(alone.measure(seconds / 4).engine.items())[1])
            latencies = asyncio.run(drive(parts.hostname, parts.port, request, 1, seconds))
            rates.append(batch * load_of(latencies, seconds).images_per_second)
    share = ratio(median(rates), median(engine))
    say(f"{median(rates):.0f} images/s in batches of {batch}, {share} of the engine's {median(engine):.0f}")
    return {
        "benchmark": "binary",
        **machine(*PACKAGES),
        "batch": batch,
        "rounds": rounds,
        "seconds": seconds,
        "images_per_second": round(median(rates), 1),
        "engine_images_per_second": round(median(engine), 1),
        "ratio_to_engine": share,
    }


def request_of(address: str, batch: int) -> bytes:
    """The whole request, whose answer is checked once. Raises `BenchError` for a wrong one."""
    path = f"/v2/models/{httpx.get(f'{address}/models').json()['models'][0]['name']}"
    described = httpx.get(address + path).json()
    (shape,) = [each["shape"][1:] for each in described["inputs"] if each["datatype"] == "UINT8"]
    pixels = np.random.default_rng(0).integers(0, 256, (batch, *shape), np.uint8)
    tensor = {"name": "images", "datatype": "UINT8", "shape": list(pixels.shape)}
    head = {
        "inputs": [{**tensor, "parameters": {"binary_data_size": pixels.size}}],
        "outputs": [{"name": "probabilities", "parameters": {"binary_data": True}}],
    }
    stated = json.dumps(head).encode()
    body = stated + pixels.tobytes()
    headers = {HEADER_LENGTH: str(len(stated)), "Content-Type": "application/octet-stream"}
    answer = httpx.post(f"{address}{path}/infer", content=body, headers=headers, timeout=60)
    if answer.status_code != httpx.codes.OK:
        raise BenchError(f"{path}/infer answers with status {answer.status_code}: {answer.text[:300]}")
    probabilities = np.frombuffer(answer.content[int(answer.headers[HEADER_LENGTH]) :], "<f4")
    if not np.allclose(probabilities.reshape(batch, -1).sum(axis=1), 1, atol=1e-3):
        raise BenchError(f"{path}/infer gives probabilities that do not add up to 1")
    fields = [f"Host: {urlsplit(address).netloc}", *(f"{name}: {value}" for name, value in headers.items())]
    lines = [f"POST {path}/infer HTTP/1.1", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


if __name__ == "__main__":
    sys.exit(main())
