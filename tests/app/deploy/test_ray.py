"""The configuration for Ray Serve, deployed by `serve deploy` on a local Ray cluster."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import Any

import httpx
import pytest
import yaml

from app.client import Client
from app.settings import BUNDLED_MODEL
from models.artifact.store import read_metadata
from tests.documents.documents import ROOT

pytest.importorskip("ray", reason="no Ray: pip install 'resnet-serve[ray]'")

CONFIGURATION = ROOT / "app" / "deploy" / "ray" / "serve.yaml"
PROGRAMS = Path(sys.executable).parent
PATIENCE_SECONDS = 300


def free_port() -> int:
    with create_server(("127.0.0.1", 0)) as reserved:
        port: int = reserved.getsockname()[1]
        return port


@contextmanager
def cluster(cpus: int) -> Iterator[str]:
    """A Ray cluster of one node, started in the repository's folder; gives the address of its dashboard."""
    port = free_port()
    command = [
        *(str(PROGRAMS / "ray"), "start", "--head", "--block", "--node-ip-address=127.0.0.1", "--port=0"),
        *(f"--num-cpus={cpus}", "--object-store-memory=100000000", "--disable-usage-stats"),
        *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={port}"),
    ]
    node = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        # With --block, the end of this process is the end of the node.
        node.send_signal(signal.SIGTERM)
        node.wait(60)


def status(dashboard: str) -> dict[str, Any]:
    """What Serve's controller says of the applications, {} before it is there."""
    try:
        response = httpx.get(f"{dashboard}/api/serve/applications/", timeout=30)
    except httpx.TransportError:
        return {}
    applications: dict[str, Any] = response.json()["applications"] if response.status_code == 200 else {}
    return applications


def test_serve_deploy_makes_replicas_of_it_that_answer(tmp_path: Path) -> None:
    written = yaml.safe_load(CONFIGURATION.read_text())
    written["http_options"] = {"host": "127.0.0.1", "port": free_port()}
    (described,) = written["applications"]
    (deployment,) = described["deployments"]
    configuration = tmp_path / "serve.yaml"
    configuration.write_text(yaml.safe_dump(written))
    replicas = deployment["autoscaling_config"]["min_replicas"]
    cpus = deployment["ray_actor_options"]["num_cpus"]
    with cluster(cpus=replicas * cpus) as dashboard:
        deadline = time.monotonic() + PATIENCE_SECONDS
        command = [str(PROGRAMS / "serve"), "deploy", "--address", dashboard, str(configuration)]
        while (done := subprocess.run(command, capture_output=True, text=True, check=False)).returncode:
            assert time.monotonic() < deadline, done.stderr
            time.sleep(1)
        while (found := status(dashboard).get(described["name"], {})).get("status") != "RUNNING":
            assert found.get("status") != "DEPLOY_FAILED", found["message"]
            assert time.monotonic() < deadline, found
            time.sleep(0.5)
        states = [each["state"] for each in found["deployments"][deployment["name"]]["replicas"]]
        assert states == ["RUNNING"] * replicas
        with Client(f"http://127.0.0.1:{written['http_options']['port']}") as client:
            assert client.predict(ROOT / "app" / "static" / "samples" / "dog.png").predictions[0].top
            (model,) = client.models()
            assert model.name == read_metadata(BUNDLED_MODEL).name
