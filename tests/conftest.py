"""What every kind of test may use."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app.environment import PREFIX, RENAMED
from app.settings import Settings

TESTS = Path(__file__).parent
REPOSITORY = TESTS.parent

QUANTISING = (
    "training/evaluation/test_measure.py",
    "training/export/test_export.py",
    "training/export/test_quantize.py",
    "training/report/test_page.py",
    "training/report/test_report.py",
)
"""Tests that quantise in this process. Once NNCF has worked here, a signal to the process crashes it."""


TORCH_THREADS = torch.get_num_threads()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Give every test torch's own number of threads, whatever an engine chose for the process before it.

    Other numbers of threads add up in other orders. As a hook, so that it comes before the fixtures of a
    module too.
    """
    torch.set_num_threads(TORCH_THREADS)


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_shell() -> Iterator[None]:
    """Take the service's settings out of the environment, and what would be read as one."""
    with pytest.MonkeyPatch.context() as patch:
        names = {field.upper() for field in Settings.model_fields} | RENAMED.keys()
        for name in list(os.environ):
            if name.startswith(PREFIX) or name in names:
                patch.delenv(name)
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what quantises last, behind all tests that send themselves signals."""
    items.sort(key=lambda item: item.path.relative_to(TESTS).as_posix() in QUANTISING)


@pytest.fixture(scope="session")
def cifar10_folder() -> Path:
    """The folder of the real CIFAR-10: `CIFAR10_DIR`, or data/. Where it is absent the test is skipped."""
    folder = Path(os.environ.get("CIFAR10_DIR", REPOSITORY / "data"))
    if not (folder / "cifar-10-batches-py" / "test_batch").is_file():
        pytest.skip(f"no CIFAR-10 in {folder}: run `make data`, or set CIFAR10_DIR")
    return folder
