"""`python -m app check | predict | models`, the latter two against the real server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.__main__ import main
from tests.support.server_process import ROOT, running

CAT, DOG = (str(ROOT / "app" / "static" / "samples" / f"{name}.png") for name in ("cat", "dog"))
KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def address(model_dir: Path) -> Iterator[str]:
    with running(model_dir, {"API_KEYS": KEY}) as (_, address, _):
        yield address


def test_predict_shows_a_bar_for_each_class(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_KEY", KEY)
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
    monkeypatch.setenv("API_KEY", KEY)
    assert main(["predict", CAT, "--url", address, "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["model"] == "lenet-test"
    assert len(answer["predictions"][0]["top"]) == 5
    assert main(["models", "--url", address, "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["name"] == "lenet-test"
    assert main(["models", "--url", address]) == 0
    assert capsys.readouterr().out.startswith("lenet-test 1: lenet, 10 classes, ")


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
    monkeypatch.setenv("API_KEY", KEY)
    assert main([*arguments, "--url", address]) == 1
    error = capsys.readouterr().err
    assert error.startswith("resnet-serve: ")
    assert message in error
    assert error.count("\n") == 1


def test_one_file_that_is_refused_does_not_cost_the_others(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_KEY", KEY)
    assert main(["predict", CAT, "no-such.png", DOG, "--url", address]) == 1
    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines() if "×" in line] == ["cat.png", "dog.png"]
    assert printed.err.count("\n") == 1


def test_a_missing_key_is_said_so(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("API_KEY", raising=False)
    assert main(["models", "--url", address]) == 1
    assert "send a key as" in capsys.readouterr().err


def test_check_proves_the_model_and_serves_nothing(
    model_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DEVICE", "cpu")
    monkeypatch.setenv("MODEL_DIR", str(model_dir))
    assert main(["check"]) == 0
    assert capsys.readouterr().out.startswith("lenet-test 1 is fit to serve: openvino ")
    monkeypatch.setenv("MODEL_DIR", str(tmp_path))
    assert main(["check"]) == 1
    assert "resnet-serve: " in capsys.readouterr().err
    monkeypatch.setenv("PORT", "many")
    assert main(["check"]) == 1
    assert capsys.readouterr().err.startswith("resnet-serve: PORT: ")
