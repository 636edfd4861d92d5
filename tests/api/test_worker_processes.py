"""WORKERS=2: several processes behind one address, which add up, are replaced, and stop in order."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest

from app.__main__ import main
from tests.support.artifacts import save_small_artifact
from tests.support.collector import collecting
from tests.support.exposition import samples
from tests.support.server_process import ROOT, running, start

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are found in /proc")

IMAGE = (ROOT / "app" / "static" / "samples" / "dog.png").read_bytes()
PREDICTED = 'resnet_serve_requests_total{method="POST",route="/predict",status="200"}'
PATIENCE_SECONDS = 120
ENGINE_SERVER = str(ROOT / "tests" / "support" / "engine_server.py")


@contextmanager
def _two_workers(
    model_dir: Path, folder: Path, drain_seconds: int = 20, others: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The parent, and the address; temporary files go to `folder`, `others` are further settings."""
    settings = {
        "WORKERS": "2",
        "RESNET_SERVE_DRAIN_SECONDS": str(drain_seconds),
        "TMPDIR": str(folder),
        **(others or {}),
    }
    with running(model_dir, settings) as (process, address, printed):
        assert printed.count("Ready.") == 1
        yield process, address


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} seconds"
        time.sleep(0.05)


def _workers(parent: subprocess.Popen[str]) -> list[int]:
    """The process ids of the workers; the parent has another child that tidies up after it."""
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    return [int(child) for child in children if "spawn_main" in _command_line(child)]


def _command_line(process_id: str) -> str:
    """Empty where there is no such process any more."""
    try:
        return Path(f"/proc/{process_id}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _state(process_id: int) -> str:
    """One letter, such as T for a process that is stopped; X where there is none."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def _has_connection(worker: int, client: tuple[str, int], server: tuple[str, int]) -> bool:
    """Is the connection between the two addresses open in the process `worker`?"""
    ends = [f"{socket.htonl(int(IPv4Address(host))):08X}:{port:04X}" for host, port in (server, client)]
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1:3] == ends}
    return any(_target(entry) in sockets for entry in Path(f"/proc/{worker}/fd").iterdir())


def _target(link: Path) -> str:
    """Empty where there is no such link any more."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


@contextmanager
def _client_of(worker: int, address: str) -> Iterator[httpx.Client]:
    """A client whose one connection is served by the process `worker`, which must become ready soon."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        assert time.monotonic() < deadline, f"no connection within {PATIENCE_SECONDS} seconds"
        with httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as client:
            stream = client.get("/health/live").extensions["network_stream"]
            ends = stream.get_extra_info("client_addr"), stream.get_extra_info("server_addr")
            if _has_connection(worker, *ends):
                yield client
                return


def _predict(client: httpx.Client) -> str:
    """Returns the version of the model that answered."""
    response = client.post("/predict", content=IMAGE, headers={"Content-Type": "image/png"})
    assert response.status_code == 200
    return str(response.json()["model"]["version"])


def _metrics(client: httpx.Client) -> dict[str, float]:
    return samples(client.get("/metrics").text)


def _connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)


def _is_refused(address: str) -> bool:
    try:
        _connect(address).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False
    return False


@contextmanager
def _half_a_request(address: str) -> Iterator[socket.socket]:
    """A connection on which /predict waits for the second half of `IMAGE`."""
    with _connect(address) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nExpect: 100-continue\r\n"
            b"Content-Length: %d\r\n\r\n" % len(IMAGE)
        )
        # Sent when the route begins to read.
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(IMAGE[: len(IMAGE) // 2])
        yield connection


def test_metrics_add_up_and_spans_are_sent_whoever_answers(model_dir: Path, tmp_path: Path) -> None:
    with (
        collecting() as collector,
        _two_workers(model_dir, tmp_path, others={"RESNET_SERVE_TRACES": "otlp", **collector.settings}) as (
            parent,
            address,
        ),
    ):
        first, second = _workers(parent)
        with _client_of(first, address) as one, _client_of(second, address) as other:
            for _ in range(3):
                _predict(one)
            for _ in range(2):
                _predict(other)
            for read in (_metrics(one), _metrics(other)):
                assert read[PREDICTED] == 5
                assert read['resnet_serve_request_duration_seconds_count{route="/predict"}'] == 5
                assert {name for name in read if name.startswith("process_start_time_seconds")} == {
                    'process_start_time_seconds{worker="0"}',
                    'process_start_time_seconds{worker="1"}',
                }

        def spans_by_worker() -> list[int]:
            instances = [instance for instance, name in collector.spans() if name == "POST /predict"]
            return sorted(Counter(instances).values())

        _wait_until(lambda: spans_by_worker() == [2, 3])


def test_a_killed_worker_is_replaced_and_nothing_counted_is_lost(model_dir: Path, tmp_path: Path) -> None:
    versions = tmp_path / "repository" / "lenet-test"
    save_small_artifact(versions / "1")
    settings = {"RESNET_SERVE_MODEL_REPOSITORY": str(versions.parent), "RESNET_SERVE_ENGINE": "torch"}
    with _two_workers(model_dir, tmp_path, others=settings) as (parent, address):
        victim, survivor = _workers(parent)
        with _client_of(survivor, address) as client:
            with _client_of(victim, address) as other:
                _predict(other)
            _predict(client)
            save_small_artifact(versions / "2", version="2")
            os.kill(victim, signal.SIGKILL)
            # As a zombie it may still listen: only with the last of its threads do its sockets close.
            _wait_until(lambda: _state(victim) == "X")
            with httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as new:
                _predict(new)
            assert _metrics(client)[PREDICTED] == 3

            _wait_until(lambda: len(_workers(parent)) == 2)
            (replacement,) = set(_workers(parent)) - {survivor}
            with _client_of(replacement, address) as other:
                assert _predict(other) == "1"  # as the other one does, though there is a newer one now
                assert _metrics(other)[PREDICTED] == 4
            assert _metrics(client)[PREDICTED] == 4

        parent.terminate()
        out, err = parent.communicate(timeout=PATIENCE_SECONDS)
    assert (parent.returncode, out.strip()) == (0, "")
    assert re.search(rf"worker 0 \(pid {victim}\) was ended by SIGKILL; the next one starts now", err)
    assert err.count("\n") == 1


def test_what_one_worker_loads_all_serve_and_so_does_one_that_starts_later(
    model_dir: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    versions = repository / "lenet-test"
    save_small_artifact(versions / "1")
    settings = {
        "RESNET_SERVE_MODEL_REPOSITORY": str(repository),
        "RESNET_SERVE_MANAGEMENT": "true",
        "RESNET_SERVE_ENGINE": "torch",
    }
    with _two_workers(model_dir, tmp_path, others=settings) as (parent, address):
        victim, survivor = _workers(parent)
        load = "/v2/repository/models/lenet-test/load"
        with _client_of(survivor, address) as one:
            with _client_of(victim, address) as other:
                assert [_predict(one), _predict(other)] == ["1", "1"]
                save_small_artifact(versions / "2", version="2")
                assert one.post(load).status_code == 200
                assert [_predict(one), _predict(other)] == ["2", "2"]
                shutil.copytree(versions / "1", versions / "3")
                assert other.post(load).status_code == 422
                assert [_predict(one), _predict(other)] == ["2", "2"]
            os.kill(victim, signal.SIGKILL)
            _wait_until(lambda: victim not in _workers(parent) and len(_workers(parent)) == 2)
            (replacement,) = set(_workers(parent)) - {survivor}
            with _client_of(replacement, address) as other:
                # Though a newer one lies in the folder, which it could not even load.
                assert [_predict(one), _predict(other)] == ["2", "2"]
                back = other.post(load, json={"parameters": {"version": "1"}})
                assert back.status_code == 200
                assert [_predict(one), _predict(other)] == ["1", "1"]


def test_a_worker_that_is_stopped_is_replaced_while_the_other_answers(
    model_dir: Path, tmp_path: Path
) -> None:
    with _two_workers(model_dir, tmp_path) as (parent, address):
        victim, survivor = _workers(parent)
        with _client_of(survivor, address) as client:
            os.kill(victim, signal.SIGSTOP)

            def is_replaced() -> bool:
                _predict(client)
                return victim not in _workers(parent) and len(_workers(parent)) == 2

            _wait_until(is_replaced)
            (replacement,) = set(_workers(parent)) - {survivor}
            with _client_of(replacement, address) as other:
                _predict(other)
        parent.terminate()
        err = parent.communicate(timeout=PATIENCE_SECONDS)[1]
    assert re.search(rf"worker 0 \(pid {victim}\) has said nothing for 8 s; it is ended by force", err)
    assert parent.returncode == 0


def test_a_worker_whose_engine_hangs_is_replaced_while_the_other_answers(
    model_dir: Path, tmp_path: Path
) -> None:
    """The first batch of three images hangs."""
    command = [sys.executable, ENGINE_SERVER, "hang", str(tmp_path / "hung")]
    settings = {"WORKERS": "2", "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with running(model_dir, settings, command) as (parent, address, _):
        victim, survivor = _workers(parent)
        with _client_of(survivor, address) as client, _client_of(victim, address) as other:
            files = [("file", ("dog.png", IMAGE, "image/png"))] * 3
            with pytest.raises(httpx.TransportError):
                other.post("/predict", files=files)
            _predict(client)
            _wait_until(lambda: victim not in _workers(parent) and len(_workers(parent)) == 2)
            assert client.post("/predict", files=files).status_code == 200
        parent.terminate()
        err = parent.communicate(timeout=PATIENCE_SECONDS)[1]
    assert re.search(rf"worker 0 \(pid {victim}\) is not well: the engine has not finished a batch for", err)


def test_sigterm_lets_a_running_request_finish(model_dir: Path, tmp_path: Path) -> None:
    with _two_workers(model_dir, tmp_path, drain_seconds=PATIENCE_SECONDS) as (parent, address):
        with _half_a_request(address) as connection:
            parent.terminate()
            _wait_until(lambda: _is_refused(address))
            connection.sendall(IMAGE[len(IMAGE) // 2 :])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        out, err = parent.communicate(timeout=PATIENCE_SECONDS)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"predictions"' in answer
    assert (parent.returncode, out.strip(), err) == (0, "", "")
    assert list(tmp_path.glob("resnet-serve-*")) == []


def test_a_second_signal_ends_a_running_request(model_dir: Path, tmp_path: Path) -> None:
    """The time given to it is far more than that given to this test."""
    with _two_workers(model_dir, tmp_path, drain_seconds=3600) as (parent, address):
        workers = _workers(parent)
        with _half_a_request(address) as connection:
            parent.send_signal(signal.SIGINT)
            _wait_until(lambda: _is_refused(address))
            parent.send_signal(signal.SIGINT)
            assert connection.recv(1000) == b""
        assert parent.wait(timeout=PATIENCE_SECONDS) == 1
    assert [_state(worker) for worker in workers] == ["X", "X"]
    assert list(tmp_path.glob("resnet-serve-*")) == []


def test_no_worker_outlives_a_parent_that_is_killed(model_dir: Path, tmp_path: Path) -> None:
    with _two_workers(model_dir, tmp_path) as (parent, address):
        workers = _workers(parent)
        assert len(workers) == 2
        parent.kill()
        parent.wait(timeout=PATIENCE_SECONDS)
        _wait_until(lambda: all(_state(worker) in "XZ" for worker in workers))
        assert _is_refused(address)


def test_a_model_that_does_not_load_is_one_line_and_status_1(tmp_path: Path) -> None:
    process = start(tmp_path / "model" / "1", {"WORKERS": "2", "TMPDIR": str(tmp_path)})
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert out == f"Loading {tmp_path}/model/1 ...\n"
    assert err.startswith(f"resnet-serve: {tmp_path}/model/1/model.safetensors: the file is missing")
    assert err.count("\n") == 1
    assert list(tmp_path.glob("resnet-serve-*")) == []


def test_a_port_in_use_is_one_line_and_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKERS", "2")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1
    error = capsys.readouterr().err
    assert error == f"resnet-serve: cannot listen on 127.0.0.1 port {port}: Address already in use\n"
