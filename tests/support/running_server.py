"""A real server process with a small model, for the browser to visit."""

import os
import socket
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
from models.artifact.metadata import Dataset, ModelDescription, ModelMetrics
from models.artifact.save import save_artifact
from models.preprocessing.transform import Preprocessing
from training.export.golden import make_golden

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
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
    description = ModelDescription(
        schema_version=2,
        name="lenet-noise",
        version="1",
        architecture="lenet",
        in_channels=3,
        classes=CLASSES,
        input_size=32,
        interpolation="bilinear",
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        temperature=1.0,
        weights_dtype="float32",
        metrics=ModelMetrics(
            accuracy=0.1234,
            images=1000,
            negative_log_likelihood=2.3,
            expected_calibration_error=0.1,
            per_class_accuracy=dict.fromkeys(CLASSES, 0.1234),
        ),
        int8=None,
        recipe={},
        dataset=Dataset(name="noise", sha256="0" * 64, train_images=24, held_out_images=0, test_images=1000),
        hardware="none",
        training_seconds=0.0,
        library_versions={"torch": torch.__version__},
        created="2026-01-31T12:00:00Z",
    )
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=generator)
    golden = make_golden(model.eval(), Preprocessing.from_metadata(description), images)
    save_artifact(folder, model, description, {GOLDEN_FILE: golden})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


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
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with status {process.returncode} before it was ready")
        try:
            if httpx.get(f"{address}/health/ready").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the server was not ready within {START_SECONDS} seconds")
