"""A stored model for the tests that damage it."""

import shutil
from pathlib import Path

import pytest

from models.artifact.save import save_artifact
from tests.support.damaged_artifact import FILES
from tests.support.small_model import WITH_INT8, lenet


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original") / "1"
    save_artifact(folder, lenet(), WITH_INT8, FILES)
    return folder


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A stored model that the test may damage."""
    return shutil.copytree(original, tmp_path / "small" / "1")
