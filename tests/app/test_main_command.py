"""The command line: its commands, and one line with exit code 1 where one of them cannot do its work."""

import argparse
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.__main__ import COMMANDS, main
from training.__main__ import parser as training_parser


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


def test_to_serve_nothing_is_imported_for_asking_a_service() -> None:
    """With its own command line, httpx takes a fifth of a second of the start."""
    program = "import sys, app.__main__, app.commands.serve, app.server.process; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert "app.server.process" in done.stdout.split(), done.stderr
    assert "httpx" not in done.stdout.split()


def test_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = _error_line(capsys, "--port", str(port))
    assert error == f"resnet-serve: cannot listen on 127.0.0.1 port {port}: Address already in use\n"


def test_host_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    error = _error_line(capsys, "--host", "no.such.host.invalid", "--port", "0")
    assert "cannot listen on no.such.host.invalid port 0: " in error


def test_illegal_setting(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_SERVE_MAX_BATCH", "none")
    assert "MAX_BATCH: " in _error_line(capsys, "--port", "0")


def test_illegal_port_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--port: " in _error_line(capsys, "--port", "http")


def test_model_that_is_not_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESNET_SERVE_MODEL_DIR", str(tmp_path / "model" / "1"))
    error = _error_line(capsys, "--port", "0")
    assert f"{tmp_path}/model/1/model.safetensors: the file is missing" in error


def test_a_former_name_is_a_warning_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    assert main(["check", "--model-dir", str(tmp_path)]) == 1
    assert (
        "app.commands.serve",
        logging.WARNING,
        "HOST is not read any more: name it RESNET_SERVE_HOST",
    ) in (caplog.record_tuples)


def test_a_wrong_option_is_told_with_the_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["serve", "--nonsense"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: resnet-serve serve ")
    assert error.endswith("resnet-serve serve: error: unrecognized arguments: --nonsense\n")


def test_help_is_printed_for_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert f"  {name:<15} {command.summary}\n" in told


@pytest.mark.parametrize("command", ["serve", "check"])
def test_help_of_a_command_that_takes_settings_lists_them(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    told = capsys.readouterr().out
    assert f"usage: resnet-serve {command} " in told
    assert "--max-concurrent-requests int" in told
    assert "RESNET_SERVE_LOG_LEVEL" in told


def test_every_command_of_training_is_there() -> None:
    (subparsers,) = (
        action for action in training_parser()._actions if isinstance(action, argparse._SubParsersAction)
    )
    assert [name for name, command in COMMANDS.items() if command.extra == "train"] == list(
        subparsers.choices
    )


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["train", "--help"], "usage: python -m training train "),
        (["summary", "-h"], "python -m models summary "),
    ],
)
def test_commands_of_other_packages_are_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], usage: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["resnet-serve", *arguments])
    # As in a process that has imported neither.
    for name in ("training.__main__", "models.__main__"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert usage in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [("serve", "app.commands.serve", "serve"), ("train", "training", "train")],
)
def test_packages_that_are_missing_are_named_with_their_extra(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    package: str,
    extra: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["resnet-serve", command])
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("torch", "pydantic_settings"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main([command]) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        f"resnet-serve: {command} needs more packages: pip install '.[{extra}]' in the project's folder ("
    )
    assert error.count("\n") == 1
