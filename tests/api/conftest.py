"""The service in process, with a small model, over httpx."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from tests.support.artifacts import save_small_artifact
from tests.support.service import Client, running


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_artifact(tmp_path_factory.mktemp("models") / "lenet-test" / "1")


@pytest.fixture(scope="session")
def settings(model_dir: Path) -> Settings:
    return Settings(
        model_dir=model_dir,
        device="cpu",
        precision="float32",  # by default it would depend on the processor
        engine_threads=2,
        throughput_network=False,
        max_batch=8,
        max_files=40,
        max_body_bytes=1_000_000,
    )


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[Client]:
    with running(create_app(settings)) as client:
        yield client
