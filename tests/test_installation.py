"""The wheel, installed where the checkout is out of reach."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app import __version__
from tests.support.server_process import read_until_ready

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "app" / "static" / "samples" / "cat.png"
SOURCES = ("app", "models", "training", "pyproject.toml", "README.md", "LICENSE")

ONLY_HTTPX = """
import sys

class Only:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in allowed:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

allowed = {"app", "models", "training", "httpx", "httpcore", "anyio", "certifi", "h11", "idna"}
allowed |= {"sniffio", "typing_extensions"}
allowed |= sys.stdlib_module_names
sys.meta_path.insert(0, Only())
"""
"""Python after which an import finds nothing but this project and what httpx consists of."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the wheel, in which all other packages are those of these tests."""

    folder: Path

    def run(self, *command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, or Python, in the folder `cwd`."""
        return subprocess.run(
            [self.folder / "bin" / command[0], *command[1:]],
            cwd=cwd,
            env=self.variables(),
            capture_output=True,
            text=True,
        )

    def variables(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def packages(self) -> Path:
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    source = tmp_path_factory.mktemp("source")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    offline = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
    pip = (sys.executable, "-m", "pip")
    built = source / "dist"
    subprocess.run(
        [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", built, source], check=True
    )
    (wheel,) = built.iterdir()
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    environment = Environment(folder)
    subprocess.run([*pip, "--python", folder, "install", *offline, wheel], check=True)
    (environment.packages() / "tests.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return environment


@contextmanager
def serving(environment: Environment, folder: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [environment.folder / "bin" / "resnet-serve", "serve", "--port", "0", "--device", "cpu"],
        cwd=folder,
        env=environment.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = re.search(r"http://127\.0\.0\.1:\d+", read_until_ready(process))
        assert address
        yield address[0]
    finally:
        process.kill()
        process.communicate()


def test_the_version_is_that_of_the_code(installed: Environment, tmp_path: Path) -> None:
    told = installed.run("resnet-serve", "--version", cwd=tmp_path)
    assert told.stdout == f"resnet-serve {__version__}\n", told.stderr
    (metadata,) = installed.packages().glob("resnet_serve-*.dist-info/METADATA")
    assert f"\nVersion: {__version__}\n" in metadata.read_text(encoding="utf-8")


def test_every_package_is_typed_and_all_its_files_are_there(installed: Environment) -> None:
    for package in ("app", "models", "training"):
        wanted = {
            file.relative_to(ROOT)
            for file in (ROOT / package).rglob("*")
            if file.is_file() and "__pycache__" not in file.parts and file.name != "LOG.md"
        }
        assert Path(package, "py.typed") in wanted
        assert [file for file in sorted(wanted) if not (installed.packages() / file).is_file()] == []


def test_it_serves_the_bundled_model_from_an_empty_folder(installed: Environment, tmp_path: Path) -> None:
    with serving(installed, tmp_path) as address:
        answer = httpx.post(f"{address}/predict", files={"file": SAMPLE.read_bytes()}, timeout=60)
        assert answer.json()["predictions"][0]["top"][0]["label"] == "cat"
        page = httpx.get(address).text
        assert "static/app.js" in page
        assert httpx.get(f"{address}/static/app.js").text == (SAMPLE.parents[1] / "app.js").read_text("utf-8")
        shown = installed.run("resnet-serve", "predict", str(SAMPLE), "--url", address, cwd=tmp_path)
    assert shown.stdout.splitlines()[1].split()[0] == "cat", shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_training_and_the_networks_are_there_too(installed: Environment, tmp_path: Path) -> None:
    commands = (["summary", "lenet", "--input", "3x32x32"], ["train", "--help"])
    # In one process, as each would wait for PyTorch first.
    code = "\n".join(["from app.__main__ import main", *(f"main({command!r})" for command in commands)])
    done = installed.run("python", "-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary, usage = done.stdout.split("usage: ")
    assert summary.splitlines()[-1].startswith("Total ")
    assert usage.startswith("python -m training train ")


def test_without_an_extra_only_httpx_is_installed(installed: Environment) -> None:
    (metadata,) = installed.packages().glob("resnet_serve-*.dist-info/METADATA")
    required = re.findall(r"^Requires-Dist: (.+)$", metadata.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [re.split(r"[<>=]", each)[0] for each in required if "extra ==" not in each] == ["httpx"]


@pytest.mark.parametrize(
    ("arguments", "status", "out", "error"),
    [
        (["predict", "--help"], 0, "usage: resnet-serve predict ", ""),
        (["predict", str(SAMPLE), "--url", "nowhere://"], 1, "", "'nowhere://' is not the URL of a service"),
        (["serve"], 1, "", "serve needs more packages: pip install '.[serve]' in the project's folder ("),
        (["train"], 1, "", "train needs more packages: pip install '.[train]' in the project's folder ("),
    ],
)
def test_the_commands_with_httpx_alone(
    installed: Environment, tmp_path: Path, arguments: list[str], status: int, out: str, error: str
) -> None:
    code = f"{ONLY_HTTPX}\nfrom app.__main__ import main\nsys.exit(main({arguments!r}))"
    ended = installed.run("python", "-c", code, cwd=tmp_path)
    assert ended.returncode == status, ended.stderr
    assert ended.stdout.startswith(out)
    assert ended.stderr.startswith(f"resnet-serve: {error}" if error else "")
    assert ended.stderr.count("\n") == bool(error)


def test_the_client_needs_nothing_but_httpx(installed: Environment, tmp_path: Path) -> None:
    code = f"{ONLY_HTTPX}\nfrom app.client import AsyncClient, Client\nClient('http://127.0.0.1').close()"
    ended = installed.run("python", "-c", code, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
