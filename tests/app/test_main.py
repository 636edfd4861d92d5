"""What the app is put together from."""

from importlib import import_module
from pathlib import Path

import pytest

from app import main, routes, v2
from app.main import ROUTERS, engine_options
from app.settings import Settings


@pytest.mark.parametrize(
    ("cores", "workers", "asked", "threads"),
    [
        (2, 1, 0, 2),
        (16, 1, 0, 16),
        (16, 4, 0, 4),
        (2, 2, 0, 2),
        (4, 16, 0, 2),
        (1, 2, 0, 1),
        (8, 4, 1, 1),
        (2, 1, 6, 6),
    ],
)
def test_a_workers_share_of_the_cores_but_two_at_least(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, asked: int, threads: int
) -> None:
    monkeypatch.setattr(main, "usable_cores", lambda: cores)
    assert engine_options(Settings(workers=workers, engine_threads=asked)).threads == threads


def test_every_file_with_endpoints_has_a_line() -> None:
    """A router that nobody includes would be an endpoint that is not there."""
    folders = (Path(routes.__file__).parent, Path(v2.__file__).parent)
    files = [f"{folder.name}.{file.stem}" for folder in folders for file in folder.glob("*.py")]
    modules = [import_module(f"app.{name}") for name in files if not name.endswith("__init__")]
    routers = [module.router for module in modules if hasattr(module, "router")]
    assert len(routers) > 8
    assert {id(router) for router in routers} == {id(router) for router in ROUTERS.values()}
