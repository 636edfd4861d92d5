"""Who may import whom, read from the source of every module without running it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("app", "models", "training")

FORBIDDEN: dict[str, tuple[str, ...]] = {
    "app": ("training", "tests"),
    "training": ("app", "tests", "fastapi", "starlette"),
    "models": ("app", "training", "tests", "fastapi", "starlette"),
    "app/batching/batcher.py": ("torch", "torchvision"),
}
"""A folder or file, and the packages that nothing in it may import."""

ROOMS: tuple[tuple[str, ...], ...] = (
    ("app.__main__",),
    ("app.commands",),
    ("app.server", "app.cluster"),
    ("app.main",),
    ("app.routes", "app.v2"),
    ("app.http",),
    ("app.inference",),
    ("app.registry", "app.capacity"),
    ("app.batching", "app.feedback"),
    ("app.observability", "app.drawing"),
    ("app.settings", "app.client"),
    ("app.errors",),
)
"""The rooms of the service from the street inwards: each imports from itself and from those further in."""

OF_THE_WEB = ("fastapi", "starlette")
BEHIND_THE_WEB = ROOMS[6:]
"""The rooms that would do the same if it were not HTTP by which they are asked."""

KNOWN_CLIMBS: frozenset[tuple[str, str]] = frozenset()
"""A file, and what it imports from a room further out all the same. Each entry says why; there is none."""

CORE = ("app.__main__", "app.main", "app.commands", "models.engines.openvino_engine", "models.artifact.store")
"""What classifies. Nothing that it imports as it is imported itself, directly or by others, is PyTorch: that
takes seconds and 850 MB, and need not be installed. What needs it imports it in a function."""

PYTORCH = ("torch", "torchvision")

OF_FEW_COMMANDS = ("matplotlib", "nncf", "openvino", "scipy")
"""What only some commands of training need, and takes a second to import: they import it in a function."""

UNPICKLERS = ("pickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve", "marshal")
UNPICKLING_CALLS = ("torch.load", "torch.jit.load", "torch.package.PackageImporter", "numpy.load", "np.load")


def sources(*folders: str) -> list[str]:
    """The paths of all Python files below `folders`, relative to the repository."""
    return sorted(
        file.relative_to(REPOSITORY).as_posix()
        for folder in folders
        for file in (REPOSITORY / folder).rglob("*.py")
    )


def imported_modules(tree: ast.AST, file: str) -> Iterator[str]:
    """The full names of all that a file imports, anywhere in it, relative imports resolved."""
    package = Path(file).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "__import__",
            "importlib.import_module",
        ):
            assert isinstance(node.args[0], ast.Constant), f"{file}:{node.lineno} imports what cannot be read"
            yield str(node.args[0].value)


def imported_at_once(tree: ast.Module, file: str) -> Iterator[str]:
    """What a file imports as it is imported: outside of functions, and not for type checking alone."""
    nodes: list[ast.AST] = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported_modules(node, file)
        elif isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            nodes += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            nodes += ast.iter_child_nodes(node)


def file_of(module: str) -> Path | None:
    """The source of a module of this repository."""
    path = REPOSITORY.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def way_to(packages: tuple[str, ...], start: str) -> list[str]:
    """The shortest way on which importing `start` brings one of `packages`; empty where it brings none."""
    ways = [[start]]
    seen = {start}
    for way in ways:
        if is_within(way[-1], packages):
            return way
        # To import a.b.c is to import a and a.b first; c may be a name in a.b.
        parts = way[-1].split(".")
        found = [".".join(parts[:length]) for length in range(1, len(parts))]
        if file := file_of(way[-1]):
            relative = file.relative_to(REPOSITORY).as_posix()
            found += imported_at_once(ast.parse(file.read_text(encoding="utf-8")), relative)
        for name in found:
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def forbidden_imports(source: str, file: str) -> list[str]:
    rules = [packages for part, packages in FORBIDDEN.items() if file == part or file.startswith(f"{part}/")]
    names = imported_modules(ast.parse(source), file)
    return [name for name in names if any(is_within(name, packages) for packages in rules)]


def room_of(module: str) -> tuple[int, str] | None:
    """How far in the room of `module` lies, and its name; None for what is no part of the service."""
    found = [
        (depth, room) for depth, rooms in enumerate(ROOMS) for room in rooms if is_within(module, (room,))
    ]
    return found[0] if found else None


def climbing_imports(source: str, file: str) -> list[str]:
    """What a file imports from a room beside its own or further out, or from the web where that is far."""
    own = room_of(file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    if own is None:
        return []
    names = list(imported_modules(ast.parse(source), file))
    found = []
    for name in names:
        room = room_of(name)
        if (is_within(name, OF_THE_WEB) and any(own[1] in rooms for rooms in BEHIND_THE_WEB)) or (
            room is not None and room != own and room[0] <= own[0] and (file, name) not in KNOWN_CLIMBS
        ):
            found.append(name)
    return found


def unpickling(source: str, file: str) -> list[str]:
    """What in a file unpickles. `torch.load` counts even with `weights_only`: here nothing needs it."""
    tree = ast.parse(source)
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = list(imported_modules(tree, file))
    return [name for name in names if is_within(name, (*UNPICKLERS, *UNPICKLING_CALLS))] + [
        call for call in calls if call in UNPICKLING_CALLS
    ]


def test_every_package_is_read() -> None:
    read = sources(*PACKAGES)
    for package in PACKAGES:
        assert f"{package}/__init__.py" in read


@pytest.mark.parametrize("file", sources(*PACKAGES))
def test_a_module_imports_only_what_it_may(file: str) -> None:
    assert forbidden_imports((REPOSITORY / file).read_text(encoding="utf-8"), file) == []


@pytest.mark.parametrize("file", sources("app"))
def test_the_service_imports_one_way(file: str) -> None:
    assert climbing_imports((REPOSITORY / file).read_text(encoding="utf-8"), file) == []


@pytest.mark.parametrize("module", CORE)
def test_what_classifies_imports_no_pytorch(module: str) -> None:
    assert file_of(module)
    assert " > ".join(way_to(PYTORCH, module)) == ""


def test_a_command_of_training_waits_for_no_other_ones_imports() -> None:
    assert " > ".join(way_to(OF_FEW_COMMANDS, "training.__main__")) == ""


def test_an_import_of_pytorch_would_be_found_however_far_it_is() -> None:
    start, found = way_to(PYTORCH, "models.engines.conversion")
    assert start == "models.engines.conversion"
    assert is_within(found, PYTORCH)
    for farther in ("models.engines.torch_engine.TorchEngine", "training.export.export"):
        assert is_within(way_to(PYTORCH, farther)[-1], PYTORCH)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch", ["torch"]),
        ("try:\n    from torch import nn\nexcept ImportError:\n    nn = None", ["torch.nn"]),
        ("class A:\n    import torch", ["torch"]),
        ("def f():\n    import torch", []),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch", ["typing.TYPE_CHECKING"]),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import torch", ["torch"]),
    ],
)
def test_only_imports_of_functions_and_of_types_come_later(source: str, found: list[str]) -> None:
    assert list(imported_at_once(ast.parse(source), "app/main.py")) == found


def test_every_module_of_the_service_is_in_a_room() -> None:
    modules = [file.removesuffix(".py").replace("/", ".") for file in sources("app")]
    assert [module for module in modules if room_of(module) is None] == ["app.__init__"]


@pytest.mark.parametrize("file", sources("app", "models"))
def test_nothing_that_serves_unpickles(file: str) -> None:
    assert unpickling((REPOSITORY / file).read_text(encoding="utf-8"), file) == []


@pytest.mark.parametrize(
    ("file", "source", "found"),
    [
        ("models/resnet.py", "import app", ["app"]),
        ("models/resnet.py", "import app.settings as s", ["app.settings"]),
        ("models/resnet.py", "def f():\n    from training.data import load", ["training.data.load"]),
        ("models/resnet.py", "from fastapi import FastAPI", ["fastapi.FastAPI"]),
        ("models/augmentations/crop.py", "import starlette.requests", ["starlette.requests"]),
        ("models/resnet.py", "import importlib\nimportlib.import_module('training')", ["training"]),
        ("models/resnet.py", "import application\nfrom models.summary import summarize", []),
        ("app/main.py", "from training import recipe", ["training.recipe"]),
        ("app/main.py", "import torch, fastapi\nfrom models import create_model", []),
        ("app/http/query.py", "from ..routes import predict\nimport torch", []),
        ("training/loop/train.py", "import app.main", ["app.main"]),
        ("app/batching/batcher.py", "import asyncio\nfrom torch import Tensor", ["torch.Tensor"]),
        ("app/batching/batcher.py", "from app.errors import ApiError", []),
    ],
)
def test_a_forbidden_import_would_be_found(file: str, source: str, found: list[str]) -> None:
    assert forbidden_imports(source, file) == found


@pytest.mark.parametrize(
    ("file", "source", "found"),
    [
        ("app/main.py", "from app.server import process", ["app.server.process"]),
        ("app/main.py", "from app.routes import predict\nimport fastapi", []),
        ("app/routes/predict.py", "from app.v2.codec import parse_request", ["app.v2.codec.parse_request"]),
        ("app/routes/predict.py", "from app.routes.schemas import TOP", []),
        ("app/http/uploads.py", "from ..main import create_app", ["app.main.create_app"]),
        ("app/http/uploads.py", "from starlette.types import Scope", []),
        ("app/inference/context.py", "from fastapi import Request", ["fastapi.Request"]),
        ("app/batching/batcher.py", "from app.registry import plan", ["app.registry.plan"]),
        ("app/observability/logs.py", "from app.settings import Settings", []),
        ("app/observability/logs.py", "from app.drawing import tiles", ["app.drawing.tiles"]),
        ("app/errors.py", "from app.settings import Settings", ["app.settings.Settings"]),
        ("models/summary.py", "import fastapi", []),
    ],
)
def test_an_import_the_wrong_way_would_be_found(file: str, source: str, found: list[str]) -> None:
    assert climbing_imports(source, file) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", ["pickle"]),
        ("from pickle import loads", ["pickle.loads"]),
        ("import torch\ntorch.load('x', weights_only=True)", ["torch.load"]),
        ("from torch import load", ["torch.load"]),
        ("import numpy as np\nnp.load('x')", ["np.load"]),
        ("from safetensors.torch import load\nload(b'')", []),
        ("import json\njson.load(file)", []),
    ],
)
def test_unpickling_would_be_found(source: str, found: list[str]) -> None:
    assert unpickling(source, "models/artifact/store.py") == found
