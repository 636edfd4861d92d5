"""`check`, and `predict` and `models` against the real server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from app.__main__ import main
from app.client import Client, PredictResponse, ServiceError
from tests.support.artifacts import save_small_artifact
from tests.support.server_process import ROOT, running

CAT, DOG = (str(ROOT / "app" / "static" / "samples" / f"{name}.png") for name in ("cat", "dog"))
KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def address(model_dir: Path) -> Iterator[str]:
    with running(model_dir, {"RESNET_SERVE_API_KEYS": KEY}) as (_, address, _):
        yield address


def test_predict_shows_a_bar_for_each_class(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESNET_SERVE_API_KEY", KEY)
    assert main(["predict", CAT, DOG, "--url", address, "--top-k", "3"]) == 0
    first, second = capsys.readouterr().out.strip().split("\n\n")
    assert first.startswith("cat.png (32×32), by lenet-test 1 in ")
    assert second.startswith("dog.png (32×32), by lenet-test 1 in ")
    rows = [line.split() for line in first.splitlines()[1:]]
    assert len(rows) == 3
    for _, share, *bar in rows:
        assert abs(len("".join(bar)) - 24 * float(share.removesuffix("%")) / 100) <= 0.5 + 1e-6


def test_predict_and_models_print_json(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESNET_SERVE_API_KEY", KEY)
    assert main(["predict", CAT, "--url", address, "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["model"] == "lenet-test"
    assert len(answer["predictions"][0]["top"]) == 5
    assert main(["models", "--url", address, "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["name"] == "lenet-test"
    assert main(["models", "--url", address]) == 0
    assert capsys.readouterr().out.startswith("lenet-test 1: lenet, 10 classes, ")


def test_predict_says_in_words_that_an_image_is_unfamiliar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = save_small_artifact(tmp_path / "lenet-test" / "1", with_detector=True)
    with running(folder, {}) as (_, address, _):
        assert main(["predict", CAT, "--url", address, "--views", "2"]) == 0
        assert "unlike the pictures that the model knows" in capsys.readouterr().out
        assert main(["predict", CAT, "--url", address, "--views", "9"]) == 1
        assert "views: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", "no-such.png"], "no-such.png: No such file or directory"),
        (["predict", str(ROOT / "README.md")], "README.md: not an image in one of the formats"),
        (["predict", CAT, "--top-k", "99"], "cat.png: top_k: must be in 1..10"),
    ],
)
def test_errors_are_one_line(
    address: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setenv("RESNET_SERVE_API_KEY", KEY)
    assert main([*arguments, "--url", address]) == 1
    error = capsys.readouterr().err
    assert error.startswith("resnet-serve: ")
    assert message in error
    assert error.count("\n") == 1


def test_one_file_that_is_refused_does_not_cost_the_others(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESNET_SERVE_API_KEY", KEY)
    assert main(["predict", CAT, "no-such.png", DOG, "--url", address]) == 1
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines() if "×" in line] == ["cat.png", "dog.png"]
    assert printed.err.count("\n") == 1


def test_a_missing_key_is_said_so(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("RESNET_SERVE_API_KEY", raising=False)
    assert main(["models", "--url", address]) == 1
    assert "send a key as" in capsys.readouterr().err


def _run(
    arguments: list[str | bytes], variables: Mapping[str, str], stdout: int | None = subprocess.PIPE
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env={**os.environ, "RESNET_SERVE_API_KEY": KEY, **variables},
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def test_a_terminal_without_unicode_and_a_name_that_is_not_utf_8(address: str, tmp_path: Path) -> None:
    file = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Path(os.fsdecode(file)).write_bytes(Path(CAT).read_bytes())
    ascii_terminal = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    shown = _run(
        ["predict", file, os.fsencode(tmp_path) + b"/no\xe9.png", CAT, "--url", address], ascii_terminal
    )
    assert shown.returncode == 1
    assert shown.stderr.endswith(b"/no\\udce9.png: No such file or directory\n")
    assert shown.stderr.count(b"\n") == 1
    assert [line.split(b", by")[0] for line in shown.stdout.splitlines() if b", by" in line] == [
        b"caf\\ufffd.png (32x32)",
        b"cat.png (32x32)",
    ]
    printed = _run(["predict", file, "--url", address, "--json"], ascii_terminal)
    assert json.loads(printed.stdout)[0]["predictions"][0]["filename"] == "caf\ufffd.png"


@pytest.mark.parametrize("command", [["predict", CAT], ["models"]])
def test_a_disk_that_is_full_is_one_line(address: str, command: list[str | bytes]) -> None:
    with Path("/dev/full").open("wb") as full:
        failed = _run([*command, "--url", address], {}, full.fileno())
    assert failed.stderr == b"resnet-serve: standard output: No space left on device\n"
    assert failed.returncode == 1


def test_an_unreadable_file_and_a_folder_are_one_line_each(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("RESNET_SERVE_API_KEY", KEY)
    assert main(["predict", str(tmp_path), CAT, f"{CAT}/x", "--url", address]) == 1
    printed = capsys.readouterr()
    assert printed.err == (
        f"resnet-serve: {tmp_path}: Is a directory\nresnet-serve: {CAT}/x: Not a directory\n"
    )
    assert printed.out.startswith("cat.png ")


def test_answers_that_came_are_shown_where_the_service_is_lost(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = Client.predict
    calls: list[object] = []

    def lost_at_the_second(*given: Any, **options: Any) -> PredictResponse:  # noqa: ANN401
        calls.append(given)
        if len(calls) == 2:
            raise ServiceError(None, "unreachable", "the service cannot be reached: gone")
        return answer(*given, **options)

    monkeypatch.setenv("RESNET_SERVE_API_KEY", KEY)
    monkeypatch.setattr(Client, "predict", lost_at_the_second)
    assert main(["predict", CAT, DOG, CAT, "--url", address]) == 1
    printed = capsys.readouterr()
    assert printed.err == "resnet-serve: the service cannot be reached: gone\n"
    assert printed.out.startswith("cat.png ")
    assert len(calls) == 2


def test_check_proves_the_model_and_serves_nothing(
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RESNET_SERVE_DEVICE", "cpu")
    monkeypatch.setenv("RESNET_SERVE_MODEL_DIR", str(model_dir))
    assert main(["check"]) == 0
    assert capsys.readouterr().out.startswith("lenet-test 1 is fit to serve: openvino ")
    monkeypatch.setenv("RESNET_SERVE_MODEL_DIR", str(tmp_path))
    assert main(["check"]) == 1
    assert "resnet-serve: " in capsys.readouterr().err
    monkeypatch.setenv("PORT", "many")
    assert main(["check"]) == 1
    assert capsys.readouterr().err.startswith("resnet-serve: PORT: ")
