"""What the app is put together from."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from app import main, routes, v2
from app.errors import StartError
from app.main import ROUTERS, check, create_app, engine_options
from app.registry import pytorch
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


@pytest.mark.parametrize("begin", [check, create_app])
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"views": 2}, "RESNET_SERVE_VIEWS=2"),
        ({"preload": "torch"}, "RESNET_SERVE_PRELOAD=torch"),
        ({"preload": "torch", "views": 4}, "RESNET_SERVE_PRELOAD=torch"),
    ],
)
def test_what_needs_pytorch_is_refused_before_anything_is_loaded_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
    begin: Callable[[Settings], object],
    settings: dict[str, Any],
    named: str,
) -> None:
    monkeypatch.setattr(pytorch, "_imported", False)
    monkeypatch.setattr(pytorch, "find_spec", lambda _: None)
    with pytest.raises(StartError, match=f"^{named} needs PyTorch, which is not installed: pip install"):
        begin(Settings(**settings))
