"""The image without PyTorch: what it cannot do, and its memory limit under the heaviest load."""

import io
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
from PIL import Image

from tests.containers.engine import Compose, inside, inspected, require, step
from tests.containers.service import SAMPLE, ask, built_and_started, check_service, classify

CLIENTS, REQUESTS = 64, 1500
PEAKS = "cat /sys/fs/cgroup/memory.peak 2>/dev/null || cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes"


def check_slim(compose: Compose) -> None:
    """All that the service must do, a clear answer for what needs PyTorch, and the memory limit held."""
    check_service(compose, "slim")
    with built_and_started(compose, "slim") as (container, port):
        find = "import importlib.util; print(importlib.util.find_spec('torch'))"
        require(inside(container, "python", "-c", find) == "None", "PyTorch is in it")
        refused = ask(port, "POST", "/explain", SAMPLE.read_bytes())
        code = refused.json().get("error", {}).get("code")
        require(
            (refused.status_code, code) == (501, "pytorch_not_installed"),
            f"/explain answers {refused.status_code} {code}",
        )
        answered = _load(port)
        state = inspected(container, "{{.State.OOMKilled}} {{.RestartCount}} {{.State.Status}}")
        require(state == "false 0 running", f"under load it ran out of memory or restarted: {state}")
        require(answered[200] > 0, f"under load it classifies nothing: {answered}")
        classify(port)
        peak = int(inside(container, "sh", "-c", PEAKS)) >> 20
        step(f"It holds its memory limit, with at most {peak} MiB, page cache included: {dict(answered)}")


def _load(port: int) -> Counter[int]:
    """Large images by many clients at once; returns how often each status was answered, 0 for none.

    A response to a large body may come before all of it is sent, and then end the connection.
    """
    pictures = _pictures()

    def send(number: int) -> int:
        content, kind = pictures[number % len(pictures)]
        try:
            return ask(port, "POST", "/predict", content + os.urandom(8), kind).status_code
        except httpx.TransportError:
            return 0

    with ThreadPoolExecutor(CLIENTS) as clients:
        return Counter(clients.map(send, range(REQUESTS)))


def _pictures() -> list[tuple[bytes, str]]:
    """Small and large ones of each kind: bombs of 24 megapixels and noise that hardly compresses."""
    blocks = np.random.default_rng(0).integers(0, 256, (525, 700, 3), dtype=np.uint8)
    large = Image.fromarray(blocks).resize((5600, 4200))
    smooth = Image.linear_gradient("L").resize((5000, 4800)).convert("RGB")
    return [
        (SAMPLE.read_bytes(), "image/png"),
        (_encoded(smooth, "PNG", compress_level=1), "image/png"),
        (_encoded(large.resize((2000, 1600)), "PNG", compress_level=1), "image/png"),
        (_encoded(large, "JPEG", quality=92, progressive=True), "image/jpeg"),
        (_encoded(large, "JPEG", quality=85), "image/jpeg"),
        (_encoded(large.resize((3000, 2000)), "GIF"), "image/gif"),
    ]


def _encoded(picture: Image.Image, kind: str, **options: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
