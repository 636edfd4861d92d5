"""With `log_format` set to json, all that `serve` says is JSON, one object a line."""

import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.free_port import free_port
from tests.support.server_process import PATIENCE_SECONDS, SERVE, START_SECONDS, start

JSON = {"RESNET_SERVE_LOG_FORMAT": "json"}


def _lines(process: subprocess.Popen[str]) -> list[Mapping[str, Any]]:
    """All that the process has said, once it ends."""
    printed = process.communicate(timeout=PATIENCE_SECONDS)
    return [json.loads(line) for text in printed for line in text.splitlines()]


@pytest.mark.parametrize(("workers", "level"), [("1", "info"), ("2", "info"), ("1", ""), ("2", "error")])
def test_every_line_is_json_and_the_port_is_told_at_any_level(
    model_dir: Path, workers: str, level: str
) -> None:
    process = start(model_dir, {**JSON, "WORKERS": workers, "RESNET_SERVE_LOG_LEVEL": level})
    assert process.stderr is not None
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    said: list[Mapping[str, Any]] = []
    try:
        while not said or not re.search(r"^ready on http://127\.0\.0\.1:\d+$", said[-1]["message"]):
            said.append(json.loads(process.stderr.readline()))
        process.terminate()
        said += _lines(process)
    finally:
        watchdog.cancel()
        process.kill()
    assert process.returncode == 0
    assert said[0]["message"] == f"loading {model_dir}"


@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({"RESNET_SERVE_MODEL_DIR": "/nowhere/model/1"}, [], "/nowhere/model/1"),
        ({"RESNET_SERVE_MODEL_DIR": "/nowhere/model/1", "WORKERS": "2"}, [], "/nowhere/model/1"),
        ({"RESNET_SERVE_MAX_BATCH": "none"}, [], "RESNET_SERVE_MAX_BATCH: "),
        ({"RESNET_SERVE_NONSENSE": "1"}, [], "RESNET_SERVE_NONSENSE: there is no such setting"),
        ({"RESNET_SERVE_LOG_FORMAT": "text"}, ["--log-format=json", "--max-batch=none"], "--max-batch: "),
        (
            {"RESNET_SERVE_LOG_FORMAT": "", "resnet_serve_log_format": "json", "RESNET_SERVE_NONSENSE": "1"},
            [],
            "RESNET_SERVE_NONSENSE: there is no such setting",
        ),
        ({}, ["--nonsense"], "unrecognized arguments: --nonsense; `resnet-serve serve --help` lists"),
        ({}, ["--log-format"], "argument --log-format: expected one argument; "),
        (
            {"RESNET_SERVE_LOG_FORMAT": "text"},
            ["--feedback=maybe", "--log-format", "json"],
            "ignored explicit argument 'maybe'; ",
        ),
    ],
    ids=[
        "no model",
        "no model for two workers",
        "wrong value",
        "wrong name",
        "on the command line",
        "format in small letters",
        "unknown option",
        "no format",
        "no such value",
    ],
)
def test_a_start_that_fails_says_why_in_one_line(
    model_dir: Path, settings: dict[str, str], arguments: list[str], message: str
) -> None:
    process = start(model_dir, {**JSON, "RESNET_SERVE_LOG_LEVEL": "error", **settings}, [*SERVE, *arguments])
    *before, line = _lines(process)
    assert [each["message"].split()[0] for each in before] in ([], ["loading"])
    assert process.returncode == 1
    assert line["level"] == "CRITICAL"
    assert message in line["message"]


def test_what_nobody_expected_is_told_so_too(model_dir: Path) -> None:
    program = (
        "import sys, warnings\n"
        "from app.__main__ import main\n"
        "from app.commands import serve\n"
        "def bind(_):\n"
        "    warnings.warn('odd')\n"
        "    raise RuntimeError('broken')\n"
        "serve.bind = bind\n"
        "sys.exit(main(['serve']))\n"
    )
    process = start(model_dir, JSON, [sys.executable, "-c", program])
    warning, uncaught = _lines(process)
    assert process.returncode == 1
    assert (warning["level"], warning["logger"]) == ("WARNING", "py.warnings")
    assert (uncaught["level"], uncaught["message"]) == ("CRITICAL", "RuntimeError: broken")


def test_an_address_that_is_taken_is_told_so_too(model_dir: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        command = [sys.executable, "-m", "app", "serve", "--port", str(port)]
        (line,) = [each for each in _lines(start(model_dir, JSON, command)) if each["level"] == "CRITICAL"]
    assert line["message"] == f"cannot listen on 127.0.0.1 port {port}: Address already in use"
