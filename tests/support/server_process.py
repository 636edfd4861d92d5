"""The real service as a process of its own, on a free port of 127.0.0.1."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 240
PATIENCE_SECONDS = 120
SERVE = (sys.executable, "-m", "app", "serve", "--port", "0")


def start(
    model_dir: Path, settings: Mapping[str, str] | None = None, command: Sequence[str] = SERVE
) -> subprocess.Popen[str]:
    """Start `command` with the model in `model_dir` and further `settings` in the environment."""
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={
            **os.environ,
            "RESNET_SERVE_MODEL_DIR": str(model_dir),
            "RESNET_SERVE_DEVICE": "cpu",
            **(settings or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(
    model_dir: Path, settings: Mapping[str, str] | None = None, command: Sequence[str] = SERVE
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process once it is ready, its address and what it printed."""
    process = start(model_dir, settings, command)
    try:
        printed = read_until_ready(process)
        address = re.search(r"http://127\.0\.0\.1:\d+", printed)
        assert address, printed
        yield process, address[0], printed
    finally:
        process.kill()
        process.communicate()


def client_of(address: str) -> httpx.Client:
    """Without certificates, which each client would read anew: 50 ms of processor time."""
    return httpx.Client(base_url=address, timeout=PATIENCE_SECONDS, verify=False)


def read_until_ready(process: subprocess.Popen[str]) -> str:
    """What the process prints until it is ready. Fails the test if it ends before."""
    assert process.stdout is not None
    text = ""
    watchdog = threading.Timer(START_SECONDS, process.kill)
    watchdog.start()
    try:
        while "/predict" not in text:
            line = process.stdout.readline()
            if not line:
                pytest.fail(f"did not become ready: {text}{process.communicate()[1]}")
            text += line
    finally:
        watchdog.cancel()
    return text
