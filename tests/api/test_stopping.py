"""When a server ends: told to before it is ready or while it works, or being stuck, and what it says."""

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.artifacts import save_small_artifact
from tests.support.exposition import samples
from tests.support.server_process import PATIENCE_SECONDS, ROOT, client_of, running, start

ENGINE_SERVER = str(ROOT / "tests" / "support" / "engine_server.py")
IMAGE = (ROOT / "app" / "static" / "samples" / "dog.png").read_bytes()
THREE = [("file", ("dog.png", IMAGE, "image/png"))] * 3


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} seconds"
        time.sleep(0.05)


@contextmanager
def _asking_for_three(address: str) -> Iterator[list[httpx.Response | Exception]]:
    """A request of three images from another thread; what came of it is there at the end."""
    outcome: list[httpx.Response | Exception] = []

    def ask() -> None:
        try:
            with client_of(address) as client:
                outcome.append(client.post("/predict", files=THREE))
        except httpx.TransportError as error:
            outcome.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield outcome
    finally:
        asking.join()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_during_warm_up_is_obeyed_at_once(model_dir: Path, tmp_path: Path, workers: str) -> None:
    """Of the 24 sizes that would be tried, which takes far longer than the process is given to end."""
    seen = tmp_path / "seen"
    settings = {
        "WORKERS": workers,
        "RESNET_SERVE_MAX_BATCH": "4096",
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    process = start(model_dir, settings, [sys.executable, ENGINE_SERVER, "slow-start", str(seen)])
    try:
        _wait_until(lambda: seen.exists() or process.poll() is not None)
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert "Ready" not in out
    assert "4096" not in seen.read_text().split()


def test_a_lone_process_whose_engine_hangs_ends_and_says_why(model_dir: Path, tmp_path: Path) -> None:
    command = [sys.executable, ENGINE_SERVER, "hang", str(tmp_path / "hung")]
    with running(model_dir, {"PYTHONPATH": str(ROOT)}, command) as (process, address, _):
        with _asking_for_three(address) as outcome:
            err = process.communicate(timeout=PATIENCE_SECONDS)[1]
        assert isinstance(outcome[0], httpx.TransportError)
    assert "the engine has not finished a batch for" in err
    assert "this process is ended by force" in err
    assert process.returncode == 1


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_runs_when_the_time_is_over_is_told_so_and_the_process_ends_all_the_same(
    model_dir: Path, tmp_path: Path, workers: str
) -> None:
    """A thread that never ends would keep Python from ending."""
    hung = tmp_path / "hung"
    settings = {
        "WORKERS": workers,
        "RESNET_SERVE_DRAIN_SECONDS": "1",
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, ENGINE_SERVER, "hang", str(hung)]
    with running(model_dir, settings, command) as (process, address, _):
        with _asking_for_three(address) as outcome:
            _wait_until(hung.exists)
            process.send_signal(signal.SIGTERM)
            err = process.communicate(timeout=PATIENCE_SECONDS)[1]
        (answer,) = outcome
    assert isinstance(answer, httpx.Response)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert json.loads(answer.text)["error"]["code"] == "stopping"
    assert "running work did not end within RESNET_SERVE_DRAIN_SECONDS=1" in err
    assert "Traceback" not in err
    assert process.returncode == (1 if workers == "1" else 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_lone_process_at_once(
    model_dir: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Whatever it still does: the time given to that is far more than that given to this test."""
    hung = tmp_path / "hung"
    settings = {"RESNET_SERVE_DRAIN_SECONDS": "3600", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, ENGINE_SERVER, "hang", str(hung)]
    with (
        running(model_dir, settings, command) as (process, address, _),
        _asking_for_three(address) as outcome,
    ):
        _wait_until(hung.exists)
        process.send_signal(number)
        _wait_until(lambda: _is_refused(address))
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, err) == (1, "")
    assert isinstance(outcome[0], httpx.TransportError)


def _is_refused(address: str) -> bool:
    try:
        with client_of(address) as client:
            client.get("/health/live")
    except httpx.TransportError:
        return True
    return False


def test_a_damaged_newest_version_leaves_the_one_before_and_it_is_said(
    model_dir: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    for version in ("1", "2"):
        save_small_artifact(repository / "lenet-test" / version, version=version)
    weights = repository / "lenet-test" / "2" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    settings = {"RESNET_SERVE_MODEL_REPOSITORY": str(repository)}
    with running(model_dir, settings) as (process, address, _), client_of(address) as client:
        (entry,) = client.get("/models").json()["models"]
        told = samples(client.get("/metrics").text)
        process.terminate()
        err = process.communicate(timeout=PATIENCE_SECONDS)[1]
    assert (entry["name"], entry["version"], entry["current"]) == ("lenet-test", "1", True)
    assert [name for name in told if name.startswith("resnet_serve_model_info") and 'version="1"' in name]
    assert not [name for name in told if name.startswith("resnet_serve_model_info") and 'version="2"' in name]
    assert "lenet-test 2 is damaged, so an older version is served: " in err
    assert "model.safetensors" in err
