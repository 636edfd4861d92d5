"""WORKERS=2: several processes behind one address, which add up, agree, and are replaced."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest

from tests.support.artifacts import save_small_artifact
from tests.support.collector import Collector, collecting
from tests.support.exposition import samples
from tests.support.server_process import ROOT, client_of, running
from tests.support.worker_processes import (
    IMAGE,
    PATIENCE_SECONDS,
    state_of,
    two_workers,
    wait_until,
    workers_of,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="processes are found in /proc")

PREDICTED = 'resnet_serve_requests_total{method="POST",route="/predict",status="200"}'
ENGINE_SERVER = str(ROOT / "tests" / "support" / "engine_server.py")


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
        with client_of(address) as client:
            stream = client.get("/health/live").extensions["network_stream"]
            ends = stream.get_extra_info("client_addr"), stream.get_extra_info("server_addr")
            if _has_connection(worker, *ends):
                yield client
                return
        time.sleep(0.02)


def _predict(client: httpx.Client) -> str:
    """Returns the version of the model that answered."""
    response = client.post("/predict", content=IMAGE, headers={"Content-Type": "image/png"})
    assert response.status_code == 200
    return str(response.json()["model"]["version"])


def _metrics(client: httpx.Client) -> dict[str, float]:
    return samples(client.get("/metrics").text)


@dataclass(frozen=True)
class Service:
    """Two workers that serve the newest version of a model in the folder `versions`, and send their spans."""

    parent: subprocess.Popen[str]
    address: str
    versions: Path
    collector: Collector
    told: list[str] = field(default_factory=list)
    """What its log must say of the workers that it has lost, line by line."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    versions = folder / "repository" / "lenet-test"
    save_small_artifact(versions / "1")
    with collecting() as collector:
        settings = {
            "RESNET_SERVE_MODEL_REPOSITORY": str(versions.parent),
            "RESNET_SERVE_TRACES": "otlp",
            **collector.settings,
        }
        with two_workers(versions / "1", folder, others=settings) as (parent, address):
            yield Service(parent, address, versions, collector)


def _replacement(
    parent: subprocess.Popen[str], victim: int, survivor: int, meanwhile: Callable[[], object] = int
) -> int:
    """The worker that comes in the place of `victim`, which dies; until then `meanwhile` is called."""

    def is_replaced() -> bool:
        meanwhile()
        return victim not in workers_of(parent) and len(workers_of(parent)) == 2

    wait_until(is_replaced)
    (replacement,) = set(workers_of(parent)) - {survivor}
    return replacement


# The four tests that follow are steps in the life of one service.


def test_metrics_add_up_and_spans_are_sent_whoever_answers(service: Service) -> None:
    first, second = workers_of(service.parent)
    with _client_of(first, service.address) as one, _client_of(second, service.address) as other:
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
        instances = [instance for instance, name in service.collector.spans() if name == "POST /predict"]
        return sorted(Counter(instances).values())

    wait_until(lambda: spans_by_worker() == [2, 3])


def test_a_killed_worker_is_replaced_and_nothing_counted_is_lost(service: Service) -> None:
    victim, survivor = workers_of(service.parent)
    with _client_of(survivor, service.address) as client:
        before = _metrics(client)[PREDICTED]
        with _client_of(victim, service.address) as other:
            _predict(other)
        _predict(client)
        save_small_artifact(service.versions / "2", version="2")
        os.kill(victim, signal.SIGKILL)
        # As a zombie it may still listen: only with the last of its threads do its sockets close.
        wait_until(lambda: state_of(victim) == "X")
        with client_of(service.address) as new:
            _predict(new)
        assert _metrics(client)[PREDICTED] == before + 3

        replacement = _replacement(service.parent, victim, survivor)
        with _client_of(replacement, service.address) as other:
            assert _predict(other) == "1"  # as the other one does, though there is a newer one now
            assert _metrics(other)[PREDICTED] == before + 4
        assert _metrics(client)[PREDICTED] == before + 4
    service.told.append(f"(pid {victim}) was ended by SIGKILL; the next one starts now")


def test_a_worker_that_is_stopped_is_replaced_while_the_other_answers(service: Service) -> None:
    victim, survivor = workers_of(service.parent)
    with _client_of(survivor, service.address) as client:
        os.kill(victim, signal.SIGSTOP)
        replacement = _replacement(service.parent, victim, survivor, meanwhile=lambda: _predict(client))
        with _client_of(replacement, service.address) as other:
            _predict(other)
    service.told.append(f"(pid {victim}) has been stopped for 3 s; it is ended by force")
    service.told.append(f"(pid {victim}) was ended by SIGKILL; the next one starts now")


def test_it_stops_in_order_and_has_told_of_each_worker_that_it_lost(service: Service) -> None:
    service.parent.terminate()
    out, err = service.parent.communicate(timeout=PATIENCE_SECONDS)
    assert (service.parent.returncode, out.strip()) == (0, "")
    assert len(err.splitlines()) == len(service.told), err
    for line, said in zip(err.splitlines(), service.told, strict=True):
        assert said in line


def test_what_one_worker_loads_all_serve_and_so_does_one_that_starts_later(
    model_dir: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    versions = repository / "lenet-test"
    save_small_artifact(versions / "1")
    settings = {
        "RESNET_SERVE_MODEL_REPOSITORY": str(repository),
        "RESNET_SERVE_MANAGEMENT": "true",
    }
    with two_workers(model_dir, tmp_path, others=settings) as (parent, address):
        victim, survivor = workers_of(parent)
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
            with _client_of(_replacement(parent, victim, survivor), address) as other:
                # Though a newer one lies in the folder, which it could not even load.
                assert [_predict(one), _predict(other)] == ["2", "2"]
                back = other.post(load, json={"parameters": {"version": "1"}})
                assert back.status_code == 200
                assert [_predict(one), _predict(other)] == ["1", "1"]


def test_a_worker_whose_engine_hangs_is_replaced_while_the_other_answers(
    model_dir: Path, tmp_path: Path
) -> None:
    """The first batch of three images hangs."""
    command = [sys.executable, ENGINE_SERVER, "hang", str(tmp_path / "hung")]
    settings = {"WORKERS": "2", "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    with running(model_dir, settings, command) as (parent, address, _):
        victim, survivor = workers_of(parent)
        with _client_of(survivor, address) as client, _client_of(victim, address) as other:
            files = [("file", ("dog.png", IMAGE, "image/png"))] * 3

            with ThreadPoolExecutor(1) as thread:
                hanging = thread.submit(other.post, "/predict", files=files)
                _replacement(parent, victim, survivor, meanwhile=lambda: _predict(client))
                with pytest.raises(httpx.TransportError):
                    hanging.result()
            assert client.post("/predict", files=files).status_code == 200
        parent.terminate()
        err = parent.communicate(timeout=PATIENCE_SECONDS)[1]
    assert re.search(rf"worker 0 \(pid {victim}\) is not well: the engine has not finished a batch for", err)
