"""A real server process with a small model, for the browser to visit."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import torch

from models import create_model
from models.artifact.golden import GOLDEN_FILE
from models.artifact.save import save_artifact
from models.engines.conversion import float32_network
from models.preprocessing.transform import Preprocessing
from tests.support.artifacts import CLASSES
from tests.support.artifacts import description as small_description
from tests.support.server_process import client_of
from training.export.golden import make_golden

MAX_BODY_BYTES = 100_000
START_SECONDS = 240


def save_lenet(folder: Path) -> None:
    """Store an untrained LeNet that is fit to be served: its batch norms have seen some noise."""
    generator = torch.Generator().manual_seed(0)
    model = create_model("lenet", len(CLASSES))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(8, 3, 32, 32, generator=generator))
    usual = small_description("lenet-noise")
    description = usual.model_copy(
        update={
            "mean": (0.5, 0.5, 0.5),
            "std": (0.25, 0.25, 0.25),
            "temperature": 1.0,
            "metrics": usual.metrics.model_copy(
                update={
                    "accuracy": 0.1234,
                    "images": 1000,
                    "per_class_accuracy": dict.fromkeys(CLASSES, 0.1234),
                }
            ),
            "recipe": {},
            "dataset": usual.dataset.model_copy(update={"name": "noise", "test_images": 1000}),
        }
    )
    preprocessing = Preprocessing.from_metadata(description)
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=generator)
    golden = make_golden(model.eval(), preprocessing, images)
    network = float32_network(model, preprocessing, description.name)
    save_artifact(folder, model, description, {GOLDEN_FILE: golden, **network})


@contextmanager
def running_server(port: int, **settings: str) -> Iterator[str]:
    """The address of a server that is ready and ends with the context. Its log goes to this test's output."""
    environment = os.environ | {
        "RESNET_SERVE_HOST": "127.0.0.1",
        "PORT": str(port),
        "RESNET_SERVE_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        **settings,
    }
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-m", "app", "serve"], env=environment) as process:
        try:
            _wait_until_ready(process, address)
            yield address
        finally:
            process.terminate()


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    with client_of(address) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with status {process.returncode} before it was ready")
            try:
                if client.get("/health/ready").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise RuntimeError(f"the server was not ready within {START_SECONDS} seconds")
