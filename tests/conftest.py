"""What every kind of test may use."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def cifar10_folder() -> Path:
    """The folder of the real CIFAR-10: `CIFAR10_DIR`, or data/. Where it is absent the test is skipped."""
    folder = Path(os.environ.get("CIFAR10_DIR", REPOSITORY / "data"))
    if not (folder / "cifar-10-batches-py" / "test_batch").is_file():
        pytest.skip(f"no CIFAR-10 in {folder}: run `make data`, or set CIFAR10_DIR")
    return folder
