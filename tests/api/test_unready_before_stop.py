"""RESNET_SERVE_UNREADY_SECONDS: after SIGTERM the service is unready, and answers on all the same."""

import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support.server_process import PATIENCE_SECONDS, ROOT, client_of, running

IMAGE = (ROOT / "app" / "static" / "samples" / "dog.png").read_bytes()
HEADERS = {"Content-Type": "image/png"}
READINESS = ("/health/ready", "/v2/health/ready")


def _wait_until_unready(address: str, path: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _status(address, path) == 200:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _status(address: str, path: str) -> int:
    """Of an answer over a new connection."""
    with client_of(address) as client:
        return client.get(path).status_code


def _predict(client: httpx.Client) -> httpx.Response:
    return client.post("/predict", content=IMAGE, headers=HEADERS)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_new_connections_are_answered_while_readiness_says_no(model_dir: Path, workers: str) -> None:
    settings = {"WORKERS": workers, "RESNET_SERVE_UNREADY_SECONDS": "3600"}
    with running(model_dir, settings) as (process, address, _), client_of(address) as kept:
        assert "connection" not in _predict(kept).headers
        process.terminate()
        for path in READINESS * 4:  # of both workers, as the kernel has it
            _wait_until_unready(address, path)
        with client_of(address) as new:
            assert new.get("/health/ready").json()["error"]["code"] == "stopping"
        assert _status(address, "/health/live") == 200
        with client_of(address) as new:
            for response in (_predict(kept), _predict(new)):
                assert (response.status_code, response.headers["connection"]) == (200, "close")
        process.terminate()  # nobody has to wait for an hour
        _, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, err) == (1, "")


def test_then_it_stops_in_order(model_dir: Path) -> None:
    with running(model_dir, {"RESNET_SERVE_UNREADY_SECONDS": "5"}) as (process, address, _):
        stopped_at = time.monotonic()
        process.terminate()
        readiness, answers = [], []
        with suppress(httpx.TransportError):  # by which its time to answer is over
            while True:
                readiness.append(_status(address, READINESS[0]))
                with client_of(address) as new:
                    answers.append(_predict(new).status_code)
                time.sleep(0.05)
        assert time.monotonic() - stopped_at >= 5
        assert readiness[-1] == 503
        assert set(answers) == {200}
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
        assert (process.returncode, out.strip(), err) == (0, "", "")
