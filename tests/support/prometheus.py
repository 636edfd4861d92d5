"""A real Prometheus as a process of its own, with the project's own rules, that scrapes one service."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.free_port import free_port
from tests.support.server_process import ROOT, client_of

MONITORING = ROOT / "app" / "deploy" / "monitoring"
START_SECONDS = 60


def require_prometheus() -> None:
    """Skip the test where Prometheus is not installed."""
    if not (shutil.which("prometheus") and shutil.which("promtool")):
        pytest.skip("no prometheus and promtool on the path: `apt-get install prometheus` brings both")


class Prometheus:
    """Asks a running Prometheus at `address`."""

    def __init__(self, address: str) -> None:
        self._client = client_of(f"{address}/api/v1/")

    def ask(self, path: str, **parameters: str | float) -> Any:  # noqa: ANN401 - JSON
        """The data of an answer of the API. Raises `httpx.HTTPStatusError` for a wrong query."""
        response = self._client.get(path, params=parameters)
        response.raise_for_status()
        return response.json()["data"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """What an expression is now: the labels and the value of each sample."""
        found = self.ask("query", query=expression)["result"]
        return [(sample["metric"], float(sample["value"][1])) for sample in found]

    def query_range(
        self, expression: str, start: float, end: float, step: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """What an expression was: the labels of each series, and its values with their times."""
        found = self.ask("query_range", query=expression, start=start, end=end, step=step)["result"]
        return [
            (series["metric"], [(at, float(value)) for at, value in series["values"]]) for series in found
        ]

    def close(self) -> None:
        self._client.close()

    def is_scraping(self) -> bool:
        return [value for _, value in self.query('up{job="resnet-serve"}')] == [1]


@contextmanager
def scraping(service: str, folder: Path, seconds: int = 1) -> Iterator[Prometheus]:
    """Prometheus, configured as the project's file says but for its target, scraping every so many `seconds`.

    `service` is an address such as `http://127.0.0.1:8000`; the data go into `folder`.
    """
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    configuration["global"] = dict.fromkeys(configuration["global"], f"{seconds}s")
    configuration["rule_files"] = [str(MONITORING / name) for name in configuration["rule_files"]]
    (job,) = configuration["scrape_configs"]
    job["static_configs"] = [{"targets": [service.removeprefix("http://")]}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    port = free_port()
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    prometheus = Prometheus(f"http://127.0.0.1:{port}")
    try:
        _wait_for(prometheus, process)
        yield prometheus
    finally:
        prometheus.close()
        process.terminate()
        process.communicate()


def _wait_for(prometheus: Prometheus, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        try:
            if prometheus.is_scraping():
                return
        except httpx.HTTPError:
            pass  # it does not listen yet
        time.sleep(0.2)
    raise AssertionError("Prometheus did not scrape the service in time")
