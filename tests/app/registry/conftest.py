"""A folder of models, for the tests of what serves from it."""

from pathlib import Path

import pytest

from app.registry.repository import Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Three versions of one model and one of another, none of which holds anything."""
    for path in ("cats/1", "cats/2", "cats/3", "dogs/1"):
        (tmp_path / "repository" / path).mkdir(parents=True)
    return Repository(tmp_path / "repository")
