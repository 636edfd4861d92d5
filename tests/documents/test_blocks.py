"""Every block of code in the documents is run, or where that cannot be, checked in another way that is real.

The blocks of a document are run in their order, in a copy of the project and against a real server.
"""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from itertools import zip_longest
from pathlib import Path

import pytest
import yaml

from app.settings import Settings
from app.settings.environment import variable
from tests import arm64
from tests.documents.documents import DOCUMENTS, ROOT, Block, blocks
from tests.documents.sandbox import Sandbox, sandbox
from training.__main__ import parser

SHELL = ("bash", "-euo", "pipefail", "-c")
REJECTED = 22
"""The exit status of curl for a response that is an error."""

SHORTENED = (
    (r"--recipe fine-tune (.*)--image-size 64", r"--recipe fine-tune --epochs 1 \1--image-size 16"),
    (r"(export --run runs/photos\S+)", r"\1 --no-int8"),
    (r"(python -m app (?:predict|models)(?!.*--url).*)", r"\1 --url http://127.0.0.1:8000"),
)
"""What is run differs in this from what is written: it takes less time, and asks the server of the tests."""

VOLATILE = {"timings_ms"}
TOLERANCE = 0.01
"""Of numbers in a response, which differ a little between processors."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with sandbox(tmp_path_factory.mktemp("project")) as place:
        yield place


def commands(code: str) -> list[str]:
    """The commands of a block, one a line, without comments and with their continuations."""
    lines = re.sub(r"\\\n", " ", code).splitlines()
    return [line for line in (re.sub(r"(^|\s)#\s.*$", "", line).strip() for line in lines) if line]


def _assigned(command: str) -> dict[str, str]:
    """The variables that stand before a command."""
    words = shlex.split(command)
    until = next(at for at, word in enumerate(words) if not re.match(r"[A-Z_]+=", word))
    pairs = (word.partition("=") for word in words[:until])
    return {name: value for name, _, value in pairs}


def _check_make(command: str, place: Sandbox) -> None:
    """Its target exists, its variables are settings, and the program it starts has the flags in ARGS.

    What would be served is proven as the start proves it, where it is there.
    """
    assigned = _assigned(command)
    assert set(assigned) <= {variable(name) for name in Settings.model_fields}
    planned = _run(f"{command} --dry-run", place)
    flags = [word for word in shlex.split(command) if word.startswith("ARGS=")]
    if flags and (program := re.search(r"python( -m [\w.]+)", planned.splitlines()[-1])):
        known = _run(f"python{program[1]} --help", place)
        for flag in re.findall(r"(?<![\w-])--?[a-z][\w-]*", flags[0].removeprefix("ARGS=")):
            assert re.search(rf"(?<![\w-]){flag}(?![\w-])", known), flag
    folder = assigned.get(variable("model_dir"))
    if folder is not None and (place.folder / folder).is_dir():
        assert "is fit to serve" in _run(f"{variable('model_dir')}={folder} python -m app check", place)


def _check_compose(command: str, place: Sandbox) -> None:  # noqa: ARG001
    """The service is there, and passes on what is set; `make docker-test` runs it where there is Docker."""
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    service = composed["services"]["resnet-serve"]
    assert set(_assigned(command)) <= set(service["environment"])
    for argument in re.findall(r"--build-arg (\w+)=", command):
        assert argument in service["build"]["args"]
        assert f"ARG {argument}" in (ROOT / "Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extras in re.findall(r"--build-arg EXTRAS=(\S+)", command):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
    if trained := re.search(r"docker compose run --rm (train(?:-gpu)?) (.*)", command):
        assert trained[1] in composed["services"]
        parser().parse_args(shlex.split(trained[2]))
        return
    started = re.search(r"docker compose (?:--profile (\w+) )?(up|build)", command)
    assert started is not None
    if started[1]:
        assert any(started[1] in each.get("profiles", ()) for each in composed["services"].values())


def _check_manifests(command: str, place: Sandbox) -> None:  # noqa: ARG001
    """The folder or file is there; other tests are about what is in it."""
    named = ROOT / command.split()[-1]
    assert named.suffix == ".yaml" or list(named.glob("*.yaml"))
    assert named.exists()


def _check_training(command: str, place: Sandbox) -> None:  # noqa: ARG001
    """The arguments are legal, the recipe among them."""
    parser().parse_args(shlex.split(command.partition("-m training ")[2]))


def _check_batch(command: str, place: Sandbox) -> None:  # noqa: ARG001
    """The file is there, and the arguments behind it are legal for training."""
    named, *arguments = shlex.split(command.removeprefix("sbatch ").removeprefix("python -m "))
    assert (ROOT / (named if "/" in named else f"{named.replace('.', '/')}.py")).is_file()
    if arguments[0] == "--processes":
        del arguments[:2]
    parser().parse_args(["train", *arguments])


def _check_emulation(command: str, place: Sandbox) -> None:  # noqa: ARG001
    """The arguments are legal."""
    arm64.parser().parse_args(shlex.split(command)[3:])


def _check_extra(command: str, place: Sandbox) -> None:
    """The extra exists, and pip can tell what it needs without loading any of it."""
    extra = re.fullmatch(r"pip install (?:--.* )?'\.\[([\w-]+)\]'", command)
    assert extra is not None
    listed = _run('python -c \'import tomllib; print(tomllib.load(open("pyproject.toml", "rb")))\'', place)
    assert f"'{extra[1]}': [" in listed


def _check_ray(command: str, place: Sandbox) -> None:  # noqa: ARG001
    """The program is installed beside Python, its command exists and has each option."""
    program, named, *options = shlex.split(command)
    assert Path(sys.executable).with_name(program).is_file()
    from ray.scripts.scripts import cli  # what the program runs; only this needs it, and it takes seconds

    known = {option for parameter in cli.commands[named].params for option in parameter.opts}
    assert known.issuperset(options), set(options) - known


INSTEAD: dict[str, Callable[[str, Sandbox], None]] = {
    r"(\w+=\S+ )*make( .*)?": _check_make,
    r"(\w+=\S+ )*docker compose .*": _check_compose,
    r"kubectl apply .*": _check_manifests,
    r"ray .*": _check_ray,
    r"serve deploy .*": _check_manifests,
    r"torchrun .*": _check_training,
    r"sbatch .*": _check_batch,
    r"python -m training.deploy.ray_train .*": _check_batch,
    r"python -m training (data|campaign|calibrate|evaluate|compare|curves) .*": _check_training,
    r"python -m training train --recipe lesson.*": _check_training,
    r"python -m tests.arm64 .*": _check_emulation,
    r"python -m training export --run runs/resnet18-cifar10-seed0 .*": _check_training,
    r"pip install .*": _check_extra,
}
"""Commands that are not run, as they never end, download, need Docker, clusters, data, GPUs or hours."""


def _run(command: str, place: Sandbox, allowed: tuple[int, ...] = (0,)) -> str:
    done = place.run(*SHELL, place.moved(command))
    assert done.returncode in allowed, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _run_shell(block: Block, expected: str | None, place: Sandbox) -> None:
    printed = ""
    for command in commands(block.code):
        check = next((check for pattern, check in INSTEAD.items() if re.fullmatch(pattern, command)), None)
        if check is not None:
            check(command, place)
            continue
        for pattern, replacement in SHORTENED:
            command = re.sub(pattern, replacement, command)
        is_error = expected is not None and '"error"' in expected
        printed = _run(command, place, (REJECTED,) if is_error else (0,))
    if expected is not None:
        require_alike(json.loads(printed), json.loads(expected))


def require_alike(found: object, shown: object, at: str = "") -> None:
    """Both have the same keys, lengths and texts, and numbers that are alike; only times may be any."""
    if isinstance(shown, dict):
        assert isinstance(found, dict), at
        assert list(found) == list(shown), at
        for name, value in shown.items():
            if name in VOLATILE:
                assert set(found[name]) == set(value), at
            else:
                require_alike(found[name], value, f"{at}.{name}")
    elif isinstance(shown, list):
        assert isinstance(found, list), at
        assert len(found) == len(shown), at
        for number, (one, other) in enumerate(zip(found, shown, strict=True)):
            require_alike(one, other, f"{at}[{number}]")
    elif isinstance(shown, float):
        assert found == pytest.approx(shown, abs=TOLERANCE), at
    elif re.fullmatch(r".*\.top\[[1-9]\d*\]\.label", at):
        assert isinstance(found, str), at  # those of small probabilities change places between processors
    else:
        assert found == shown, at


def _run_python(block: Block, place: Sandbox) -> None:
    done = place.run(sys.executable, "-c", place.moved(block.code))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def _check_compose_file(block: Block) -> None:
    """It overrides services that are there, by settings that are there."""
    written = yaml.safe_load(block.code)
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert set(written["services"]) <= set(composed["services"])
    known = {variable(name) for name in Settings.model_fields}
    for service in written["services"].values():
        assert {entry.partition("=")[0] for entry in service["environment"]} <= known


def _check_layout(block: Block) -> None:
    """The folders of a tree are there, and all packages' folders are in it."""
    top, found = "", set()
    for line in block.code.splitlines():
        name = line.split()[0].rstrip("/")
        top = top if line.startswith(" ") else name
        found.add(top if top == name else f"{top}/{name}")
    assert all((ROOT / path).is_dir() for path in found)
    for package in ("app", "models", "training"):
        folders = (
            path for path in (ROOT / package).iterdir() if path.is_dir() and path.name != "__pycache__"
        )
        assert {path.relative_to(ROOT).as_posix() for path in folders} <= found


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("document", [document for document in DOCUMENTS if blocks(document)])
def test_what_a_document_tells_to_run_runs(document: str, place: Sandbox) -> None:
    listed = blocks(document)
    for block, following in zip_longest(listed, listed[1:]):
        try:
            if block.language == "sh":
                is_shown = following is not None and following.language == "json"
                _run_shell(block, following.code if is_shown else None, place)
            elif block.language == "python":
                _run_python(block, place)
            elif block.language == "yaml":
                _check_compose_file(block)
            elif block.language == "":
                _check_layout(block)
            else:
                assert block.language in {"json", "text"}, block.language
        except (AssertionError, subprocess.TimeoutExpired) as error:
            raise AssertionError(f"{block}: {error}") from error


def test_a_response_that_differs_would_be_found() -> None:
    shown = {"label": "cat", "probability": 0.9, "timings_ms": {"total": 1.0}}
    require_alike({"label": "cat", "probability": 0.899, "timings_ms": {"total": 9.0}}, shown)
    for wrong in (
        {"label": "dog", "probability": 0.9, "timings_ms": {"total": 1.0}},
        {"label": "cat", "probability": 0.8, "timings_ms": {"total": 1.0}},
        {"label": "cat", "probability": 0.9, "timings_ms": {}},
        {"label": "cat", "probability": 0.9},
    ):
        with pytest.raises(AssertionError):
            require_alike(wrong, shown)


def test_commands_are_read_without_comments_and_with_continuations() -> None:
    assert commands("make data   # CIFAR-10\n\n# all\ncurl -d '#1' \\\n  x\n") == [
        "make data",
        "curl -d '#1'    x",
    ]
