"""A finished tiny run and its artifact, and a Python for processes that have to train."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from tests.support.forked_python import forked_python
from tests.support.tiny_run import RECIPE, tiny_data
from training.export.export import export_run
from training.loop.checkpoint import RunState
from training.loop.train import train

QUIET = Console(file=io.StringIO())


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> RunState:
    return train(RECIPE, tiny_data(), tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def exported(finished_run: RunState, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny run's artifact: not to be changed."""
    folder = tmp_path_factory.mktemp("artifacts") / "tiny" / "1"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.export.export.LEAST_IMAGES", 1)
        export_run(finished_run, tiny_data(), folder, name="tiny", version="1", console=QUIET)
    return folder


def leave_plots_undrawn(patch: pytest.MonkeyPatch) -> None:
    """For what is not about plots, as those of an artifact take seconds to draw: their files are empty."""
    patch.setattr(
        "training.report.files.render", lambda _, name: {f"{name}.{kind}": b"" for kind in ("png", "svg")}
    )


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_plots_undrawn(monkeypatch)


@pytest.fixture(scope="session")
def python() -> Iterator[Path]:
    """The program of `forked_python`."""
    with forked_python() as program:
        yield program
