"""WORKERS=2: how several processes stop in order, and what keeps them from starting."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.__main__ import main
from tests.support.server_process import start
from tests.support.worker_processes import (
    IMAGE,
    PATIENCE_SECONDS,
    state_of,
    two_workers,
    wait_until,
    workers_of,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are found in /proc")


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


def test_sigterm_lets_a_running_request_finish(model_dir: Path, tmp_path: Path) -> None:
    with two_workers(model_dir, tmp_path, drain_seconds=PATIENCE_SECONDS) as (parent, address):
        with _half_a_request(address) as connection:
            parent.terminate()
            wait_until(lambda: _is_refused(address))
            connection.sendall(IMAGE[len(IMAGE) // 2 :])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        out, err = parent.communicate(timeout=PATIENCE_SECONDS)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"predictions"' in answer
    assert (parent.returncode, out.strip(), err) == (0, "", "")
    assert list(tmp_path.glob("resnet-serve-*")) == []


def test_a_second_signal_ends_a_running_request(model_dir: Path, tmp_path: Path) -> None:
    """The time given to it is far more than that given to this test."""
    with two_workers(model_dir, tmp_path, drain_seconds=3600) as (parent, address):
        workers = workers_of(parent)
        with _half_a_request(address) as connection:
            parent.send_signal(signal.SIGINT)
            wait_until(lambda: _is_refused(address))
            parent.send_signal(signal.SIGINT)
            assert connection.recv(1000) == b""
        assert parent.wait(timeout=PATIENCE_SECONDS) == 1
    assert [state_of(worker) for worker in workers] == ["X", "X"]
    assert list(tmp_path.glob("resnet-serve-*")) == []


def test_no_worker_outlives_a_parent_that_is_killed(model_dir: Path, tmp_path: Path) -> None:
    """Each ends as on SIGTERM, and until then has nobody to report to."""
    with two_workers(model_dir, tmp_path, others={"RESNET_SERVE_UNREADY_SECONDS": "2"}) as (parent, address):
        workers = workers_of(parent)
        assert len(workers) == 2
        parent.kill()
        out, err = parent.communicate(timeout=PATIENCE_SECONDS)  # so also until the workers have ended
        wait_until(lambda: all(state_of(worker) in "XZ" for worker in workers))
        assert _is_refused(address)
    assert (out.strip(), err) == ("", "")


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
