"""Who may import whom, read from the source of every module without running it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGES = ("app", "models", "training")

FORBIDDEN: dict[str, tuple[str, ...]] = {
    "app": ("training", "tests"),
    "training": ("app", "tests", "fastapi", "starlette"),
    "models": ("app", "training", "tests", "fastapi", "starlette"),
    "app/batcher.py": ("torch", "torchvision", "fastapi", "starlette"),
}
"""A folder or file, and the packages that nothing in it may import."""

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


def is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def forbidden_imports(source: str, file: str) -> list[str]:
    rules = [packages for part, packages in FORBIDDEN.items() if file == part or file.startswith(f"{part}/")]
    names = imported_modules(ast.parse(source), file)
    return [name for name in names if any(is_within(name, packages) for packages in rules)]


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


@pytest.mark.parametrize("file", sources("app", "models"))
def test_nothing_that_serves_unpickles(file: str) -> None:
    assert unpickling((REPOSITORY / file).read_text(encoding="utf-8"), file) == []


@pytest.mark.parametrize(
    ("file", "source", "found"),
    [
        ("models/resnet.py", "import app", ["app"]),
        ("models/resnet.py", "import app.settings as s", ["app.settings"]),
        (
            "models/resnet.py",
            "def f():\n    from training.data import load",
            ["training.data.load"],
        ),
        ("models/resnet.py", "from fastapi import FastAPI", ["fastapi.FastAPI"]),
        ("models/augmentations/crop.py", "import starlette.requests", ["starlette.requests"]),
        (
            "models/resnet.py",
            "import importlib\nimportlib.import_module('training')",
            ["training"],
        ),
        (
            "models/resnet.py",
            "import application\nfrom models.batch_norm.layer import BatchNorm",
            [],
        ),
        ("app/main.py", "from training import recipe", ["training.recipe"]),
        ("app/main.py", "import torch, fastapi\nfrom models import create_model", []),
        ("models/engines/torch_engine.py", "from ..routes import predict\nimport torch", []),
        ("training/train.py", "import app.main", ["app.main"]),
        ("app/batcher.py", "import asyncio\nfrom torch import Tensor", ["torch.Tensor"]),
        ("app/batcher.py", "import fastapi", ["fastapi"]),
        ("app/batcher.py", "from app.errors import Overloaded", []),
    ],
)
def test_a_forbidden_import_would_be_found(file: str, source: str, found: list[str]) -> None:
    assert forbidden_imports(source, file) == found


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
