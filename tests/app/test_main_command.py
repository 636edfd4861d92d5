"""`python -m app serve` where it cannot start: one line that says why, and exit code 1."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.__main__ import main


@pytest.fixture(autouse=True)
def _signal_handler_is_put_back() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def _error_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["serve", *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("resnet-serve: ")
    assert error.count("\n") == 1
    return error


def test_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = _error_line(capsys, "--port", str(port))
    assert error == f"resnet-serve: cannot listen on HOST=127.0.0.1 PORT={port}: Address already in use\n"


def test_host_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    error = _error_line(capsys, "--host", "no.such.host.invalid", "--port", "0")
    assert "cannot listen on HOST=no.such.host.invalid PORT=0: " in error


def test_illegal_setting(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_BATCH", "none")
    assert "MAX_BATCH: " in _error_line(capsys, "--port", "0")


def test_illegal_port_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "PORT: " in _error_line(capsys, "--port", "http")


def test_model_that_is_not_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path / "model" / "1"))
    error = _error_line(capsys, "--port", "0")
    assert f"{tmp_path}/model/1/model.safetensors: the file is missing" in error


def test_help_is_printed_for_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "command" in capsys.readouterr().err
