"""A Ray cluster of one node on this machine, which deploys what `serve deploy` sends to it."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from tests.support.free_port import free_port

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent
APPLICATIONS = "/api/serve/applications/"
PATIENCE_SECONDS = 480
"""A new version comes replica by replica, and each may take a minute beside other tests."""


def wait_until(condition: Callable[[], bool], account: Callable[[], str]) -> None:
    """Raises `AssertionError` with this account of the state of things if it takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s: {account()}"
        time.sleep(0.5)  # what it asks for takes processor time of the dashboard and the controller too


@dataclass(frozen=True)
class RayCluster:
    """Its dashboard takes orders of whoever has the token in `environment`; `folder` is for files.

    `client` asks the dashboard, with the token.
    """

    dashboard: str
    environment: Mapping[str, str]
    folder: Path
    client: httpx.Client

    def serve_deploy(self, configuration: Mapping[str, Any]) -> None:
        """`serve deploy` a file with this configuration. Returns when all its applications serve."""
        file = self.folder / "serve.yaml"
        file.write_text(yaml.safe_dump(configuration))
        command = [str(PROGRAMS / "serve"), "deploy", "--address", self.dashboard, str(file)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        self._wait_until_all_serve(configuration)

    def deploy(self, configuration: Mapping[str, Any]) -> None:
        """The same by the request that `serve deploy` sends, without its import of Ray."""
        self.client.put(APPLICATIONS, json=configuration).raise_for_status()
        self._wait_until_all_serve(configuration)

    def _wait_until_all_serve(self, configuration: Mapping[str, Any]) -> None:
        for described in configuration["applications"]:
            self.wait_until(partial(self._serves, described["name"]))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Raises `AssertionError` with what the controller says of every application if it takes too long."""
        wait_until(condition, lambda: self.client.get(APPLICATIONS).text)

    def _serves(self, name: str) -> bool:
        found = self.application(name)
        assert found["status"] != "DEPLOY_FAILED", found["message"]
        return bool(found["status"] == "RUNNING")

    def application(self, name: str) -> dict[str, Any]:
        """What Serve's controller says of one application: its status, and that of every replica."""
        found: dict[str, Any] = self.client.get(APPLICATIONS).json()["applications"][name]
        return found

    def is_ready(self) -> bool:
        """Whether it takes orders."""
        try:
            return self.client.get(APPLICATIONS).is_success
        except httpx.TransportError:
            return False


@contextmanager
def ray_cluster(cpus: int) -> Iterator[RayCluster]:
    """Started in the repository's folder, as a user does, with as many processors as Ray is to count."""
    variables = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        # For machines whose processors and memory other tests hold too.
        "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "300",
        "RAY_worker_register_timeout_seconds": "300",
        "RAY_memory_monitor_refresh_ms": "0",
        # Else a worker for every processor starts with the first job, and most have nothing to do.
        "RAY_prestart_worker_first_driver": "0",
    }
    port = free_port()
    # Not below pytest's own folder: the path of a Unix socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        command = [
            *(str(PROGRAMS / "ray"), "start", "--head", "--block", "--disable-usage-stats"),
            *("--node-ip-address=127.0.0.1", "--port=0", f"--temp-dir={folder}/ray"),
            *(f"--num-cpus={cpus}", "--object-store-memory=100000000"),
            *("--include-dashboard=true", "--dashboard-host=127.0.0.1", f"--dashboard-port={port}"),
            # By default these are fixed, or may be the port above.
            *("--dashboard-agent-listen-port=0", f"--ray-client-server-port={free_port()}"),
            *("--min-worker-port=0", "--max-worker-port=0"),
        ]
        printed = Path(folder) / "printed"
        dashboard = f"http://127.0.0.1:{port}"
        token = {"Authorization": f"Bearer {variables['RAY_AUTH_TOKEN']}"}
        client = httpx.Client(base_url=dashboard, headers=token, timeout=60)
        cluster = RayCluster(dashboard, {**os.environ, **variables}, Path(folder), client)
        with printed.open("w") as output:
            node = psutil.Popen(
                command, cwd=ROOT, env=cluster.environment, stdout=output, stderr=subprocess.STDOUT
            )

        def starts() -> bool:
            assert node.poll() is None, printed.read_text()
            return cluster.is_ready()

        try:
            wait_until(starts, printed.read_text)
            yield cluster
        finally:
            # All at once: told to end, they take half a minute, as they wait for each other. Those of a node
            # that has ended by itself end soon.
            for process in (node, *(node.children(recursive=True) if node.is_running() else ())):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            node.wait()
            client.close()
