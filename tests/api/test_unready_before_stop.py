"""RESNET_SERVE_UNREADY_SECONDS: after SIGTERM the service is unready, and answers on all the same."""

import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.server_process import ROOT, running

IMAGE = (ROOT / "app" / "static" / "samples" / "dog.png").read_bytes()
HEADERS = {"Content-Type": "image/png"}
PATIENCE_SECONDS = 120
READINESS = ("/health/ready", "/v2/health/ready")


def _wait_until_unready(address: str, path: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while httpx.get(address + path, timeout=60).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_new_connections_are_answered_while_readiness_says_no(model_dir: Path, workers: str) -> None:
    settings = {"WORKERS": workers, "RESNET_SERVE_UNREADY_SECONDS": "3600"}
    with running(model_dir, settings) as (process, address, _), httpx.Client(base_url=address) as kept:
        assert "connection" not in kept.post("/predict", content=IMAGE, headers=HEADERS).headers
        process.terminate()
        for path in READINESS * 4:  # of both workers, as the kernel has it
            _wait_until_unready(address, path)
        assert httpx.get(f"{address}/health/ready").json()["error"]["code"] == "stopping"
        assert httpx.get(f"{address}/health/live").status_code == 200
        for client in (kept, httpx):
            url = "/predict" if client is kept else f"{address}/predict"
            response = client.post(url, content=IMAGE, headers=HEADERS, timeout=60)
            assert (response.status_code, response.headers["connection"]) == (200, "close")
        process.terminate()  # nobody has to wait for an hour
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, err) == (1, "")


def test_then_it_stops_in_order(model_dir: Path) -> None:
    with running(model_dir, {"RESNET_SERVE_UNREADY_SECONDS": "10"}) as (process, address, _):
        stopped_at = time.monotonic()
        process.terminate()
        readiness, answers = [], []
        with suppress(httpx.TransportError):  # by which its time to answer is over
            while True:
                readiness.append(httpx.get(address + READINESS[0], timeout=60).status_code)
                post = httpx.post(f"{address}/predict", content=IMAGE, headers=HEADERS, timeout=60)
                answers.append(post.status_code)
        assert time.monotonic() - stopped_at >= 10
        assert readiness[-1] == 503
        assert set(answers) == {200}
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, out.strip(), err) == (0, "", "")
