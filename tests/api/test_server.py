"""The real server: `python -m app serve` on a free port of 127.0.0.1."""

import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn

from app.settings import Settings
from tests.support import service
from tests.support.server_process import PATIENCE_SECONDS, ROOT, client_of, running


@pytest.fixture(scope="module")
def server(model_dir: Path) -> Iterator[tuple[str, str]]:
    with running(model_dir) as (_, address, printed):
        yield address, printed


def test_uvicorn_finds_the_factory(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`uvicorn app.main:create_app --factory`, with settings from the environment."""
    monkeypatch.setenv("RESNET_SERVE_MODEL_DIR", str(model_dir))
    monkeypatch.setenv("RESNET_SERVE_DEVICE", "cpu")
    config = uvicorn.Config("app.main:create_app", factory=True, log_config=None, proxy_headers=False)
    config.load()
    with service.running(config.loaded_app) as client:
        image = (ROOT / "app/static/samples/cat.png").read_bytes()
        assert client.post("/predict", content=image).json()["model"]["name"] == "lenet-test"
        assert [model["name"] for model in client.get("/models").json()["models"]] == ["lenet-test"]


def test_prints_page_docs_and_a_curl_that_work(server: tuple[str, str]) -> None:
    address, printed = server
    assert f"{address}/\n" in printed
    assert httpx.get(f"{address}/docs").status_code == 200
    command = next(line for line in printed.splitlines() if line.strip().startswith("curl"))
    name, path = re.findall(r"-F (\w+)=@(\S+)", command)[0]
    with (ROOT / path).open("rb") as image:
        response = httpx.post(shlex.split(command)[-1], files={name: image})
    assert response.json()["predictions"][0]["filename"] == "cat.png"
    if shutil.which("curl"):
        run = subprocess.run(shlex.split(command), cwd=ROOT, capture_output=True, text=True, check=True)
        assert '"label"' in run.stdout


def test_readiness_and_predictions_over_a_real_connection(server: tuple[str, str]) -> None:
    address, _ = server
    content = (ROOT / "app" / "static" / "samples" / "dog.png").read_bytes()
    with httpx.Client(base_url=address) as client:
        assert client.get("/health/ready").status_code == 200
        for _ in range(3):
            response = client.post("/predict", content=content, headers={"Content-Type": "image/png"})
            assert response.status_code == 200
        assert "server" not in response.headers


def _raw_exchange(address: str, request: bytes) -> bytes:
    """Send `request` as it is and return all that the server answers before it hangs up."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_chunked_body_without_end_is_cut_off_with_413(server: tuple[str, str]) -> None:
    head = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    # One byte beyond the limit, of a chunk that says there is more to come: with bytes on their way that the
    # server no longer reads, the kernel may reset the connection and lose the answer.
    size = Settings().max_body_bytes + 1
    answer = _raw_exchange(server[0], head + b"%x\r\n" % (2 * size) + b"x" * size)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"body_too_large"' in answer


def test_stated_length_beyond_the_limit_is_answered_before_the_body(server: tuple[str, str]) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 99999999\r\n\r\n"
    answer = _raw_exchange(server[0], head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()


def _wait_until_counted(address: str, sample: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with client_of(address) as client:
        while sample not in client.get("/metrics").text:
            assert time.monotonic() < deadline
            time.sleep(0.05)


LEFT = 'resnet_serve_requests_total{method="POST",route="/predict",status="499"} 1.0'


def test_a_client_that_leaves_in_mid_upload_is_counted_and_sigterm_stops_all_in_order_and_quietly(
    model_dir: Path,
) -> None:
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n"
    with running(model_dir) as (process, address, _):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(head + b"half")
        _wait_until_counted(address, LEFT)
        process.terminate()
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, out.strip(), err) == (0, "", "")


SLOW_SERVER = """
import sys, time
from app.__main__ import main
from app.registry import loader
from models.engines.openvino_engine import OpenVinoEngine

load_model, predict = loader.load_model, OpenVinoEngine.predict

def predict_slowly(*arguments):
    time.sleep(5)
    return predict(*arguments)

def load_then_slow_down(*arguments):
    model = load_model(*arguments)
    OpenVinoEngine.predict = predict_slowly
    return model

loader.load_model = load_then_slow_down
sys.exit(main(["serve", "--port", "0"]))
"""


def test_who_has_left_is_told_from_who_has_only_ended_its_sending(model_dir: Path) -> None:
    """Both look alike at first: one is given up, and the other is answered."""
    content = (ROOT / "app" / "static" / "samples" / "dog.png").read_bytes()
    head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n"
    request = head % len(content) + content
    with running(model_dir, command=[sys.executable, "-c", SLOW_SERVER]) as (process, address, _):
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        assert b"HTTP/1.1 200 " in received
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(request)
        _wait_until_counted(address, LEFT)
        process.terminate()
        assert process.communicate(timeout=60)[1] == ""


FAILING_SERVER = """
import sys
from app.__main__ import main
from models.engines.openvino_engine import OpenVinoEngine

def fail(*_):
    raise RuntimeError("engine on fire")

def load_then_break(*arguments):
    model = load_model(*arguments)
    OpenVinoEngine.predict = fail
    return model

from app.registry import loader
load_model = loader.load_model
loader.load_model = load_then_break
sys.exit(main(["serve", "--port", "0"]))
"""


def test_unexpected_error_is_logged_once_and_ctrl_c_stops_it_all_the_same(model_dir: Path) -> None:
    one_network = {"RESNET_SERVE_THROUGHPUT_NETWORK": "false"}  # the second would fail too
    with running(model_dir, one_network, [sys.executable, "-c", FAILING_SERVER]) as (process, address, _):
        content = (ROOT / "app" / "static" / "samples" / "dog.png").read_bytes()
        response = httpx.post(f"{address}/predict", files={"file": content})
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1]
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal_error")
    assert "engine on fire" not in response.text
    assert err.count("RuntimeError: engine on fire") == 1
    assert "Traceback" in err
    assert process.returncode == 0
