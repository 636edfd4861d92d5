"""The application on a local Ray cluster, by the configuration that is shipped: replicas come, go and die."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import yaml

from app.batching.thread_pools import EngineWatch
from app.client import Client
from app.errors import StartError
from app.settings import BUNDLED_MODEL
from tests.support.artifacts import save_small_artifact
from tests.support.free_port import free_port
from tests.support.ray_cluster import PATIENCE_SECONDS, ROOT, RayCluster, ray_cluster
from tests.support.server_process import running

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of Ray's about itself
    from app.cluster import UNUSABLE, Replica, application

CONFIGURATION = ROOT / "app" / "deploy" / "ray" / "serve.yaml"
pytestmark = pytest.mark.timeout(3 * PATIENCE_SECONDS)

KEY = "a-key-of-the-tests"
IMAGE = ROOT / "app" / "static" / "samples" / "dog.png"
HEADERS = {"Content-Type": "image/png", "X-API-Key": KEY}
PAUSE_SECONDS = 0.2
"""Of a client between two requests: so few processors have replicas to start meanwhile."""


@pytest.fixture(scope="module")
def new_version(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small model, whose version is "next"."""
    return str(save_small_artifact(tmp_path_factory.mktemp("models") / "next", version="next"))


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    # As many as five replicas ask for: two of each application, and one that comes before another goes.
    with ray_cluster(cpus=5 * deployment(shipped())["ray_actor_options"]["num_cpus"]) as cluster:
        yield cluster


def shipped(port: int = 8000) -> dict[str, Any]:
    """The configuration that is shipped, with another address."""
    written: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text())
    return {**written, "http_options": {"host": "127.0.0.1", "port": port}}


def deployment(configuration: dict[str, Any]) -> dict[str, Any]:
    (described,) = configuration["applications"]
    (found,) = described["deployments"]
    return dict(found)


def changed(port: int, settings: dict[str, Any], **scaling: float) -> dict[str, Any]:
    """The shipped configuration with further settings, and with changes of how it scales.

    Its replicas compute on one thread, as there are more of them than processors.
    """
    configuration = shipped(port)
    (described,) = configuration["applications"]
    described["args"] |= {"engine_threads": 1, **settings}
    described["deployments"][0]["autoscaling_config"] |= scaling
    return configuration


def replicas(cluster: RayCluster, name: str = "resnet-serve") -> list[int]:
    """The process ids of the replicas of an application that serve."""
    found = cluster.application(name)["deployments"]["Replica"]["replicas"]
    return [each["pid"] for each in found if each["state"] == "RUNNING"]


@contextmanager
def load(address: str, clients: int) -> Iterator[list[tuple[int, str]]]:
    """Ask from so many clients until the block ends; the list gets each answer's status and version."""
    answers: list[tuple[int, str]] = []
    ended, image = threading.Event(), IMAGE.read_bytes()

    def ask() -> None:
        with httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as client:
            while not ended.is_set():
                response = client.post("/predict", content=image, headers=HEADERS)
                version = response.json()["model"]["version"] if response.status_code == 200 else ""
                answers.append((response.status_code, version))
                time.sleep(PAUSE_SECONDS)

    with ThreadPoolExecutor(clients) as threads:
        asking = [threads.submit(ask) for _ in range(clients)]
        try:
            yield answers
        finally:
            ended.set()
        for each in asking:
            each.result()


def wait_for_more(cluster: RayCluster, answers: list[tuple[int, str]]) -> None:
    enough = len(answers) + 20
    cluster.wait_until(lambda: len(answers) > enough)


# The tests that follow are steps in the life of one cluster.


def test_what_is_shipped_makes_two_replicas_that_answer_as_one_process_does(
    cluster: RayCluster, address: str, port: int
) -> None:
    cluster.serve_deploy(shipped(port))
    cluster.wait_until(lambda: len(replicas(cluster)) == 2)
    with (
        running(BUNDLED_MODEL) as (_, single, _),
        Client(single) as one,
        Client(address) as many,
    ):
        assert many.models() == one.models()
        expected = one.predict(IMAGE).predictions
        for _ in range(8):
            for ours, theirs in zip(many.predict(IMAGE).predictions, expected, strict=True):
                assert [entry.label for entry in ours.top] == [entry.label for entry in theirs.top]
                assert [entry.probability for entry in ours.top] == pytest.approx(
                    [entry.probability for entry in theirs.top], abs=1e-5
                )
        for path, content in (("/predict", b"no image"), ("/predict?top_k=0", IMAGE.read_bytes())):
            wrong = [
                httpx.post(base + path, content=content, headers=HEADERS, timeout=60)
                for base in (address, single)
            ]
            assert wrong[0].status_code == wrong[1].status_code
            assert wrong[0].json() == wrong[1].json()
        model = one.models()[0].name
        for path in ("/health/ready", "/v2/health/ready", f"/v2/models/{model}"):
            assert httpx.get(address + path, timeout=60).json() == httpx.get(single + path, timeout=60).json()


def test_a_replica_that_is_killed_is_replaced_and_no_request_stays_unanswered(
    cluster: RayCluster, address: str
) -> None:
    killed, other = replicas(cluster)
    with load(address, 4) as answers:
        wait_for_more(cluster, answers)
        os.kill(killed, signal.SIGKILL)
        wait_for_more(cluster, answers)
        cluster.wait_until(lambda: len(serving := replicas(cluster)) == 2 and killed not in serving)
    assert other in replicas(cluster)
    statuses = [status for status, _ in answers]
    assert set(statuses) <= {200, 500, 503}
    assert statuses[-1] == 200


def test_a_new_version_replaces_the_old_one_under_load_and_no_request_is_lost(
    cluster: RayCluster, address: str, port: int, new_version: str
) -> None:
    before = replicas(cluster)
    with load(address, 4) as answers:
        wait_for_more(cluster, answers)
        cluster.deploy(changed(port, {"model_dir": new_version}))
        cluster.wait_until(lambda: len(serving := replicas(cluster)) == 2 and not {*serving} & {*before})
        wait_for_more(cluster, answers)
    assert {status for status, _ in answers} == {200}
    assert (answers[0][1], answers[-1][1]) == ("1", "next")


def test_another_application_has_a_prefix_of_its_own_and_leaves_the_first_alone(
    cluster: RayCluster, address: str, port: int, new_version: str, tmp_path: Path
) -> None:
    before = replicas(cluster)
    keys = tmp_path / "keys"
    keys.write_text(KEY)
    configuration = changed(port, {"model_dir": new_version})
    (other,) = changed(port, {"api_keys_file": str(keys), "max_concurrent_requests": 1})["applications"]
    configuration["applications"].append({**other, "name": "other", "route_prefix": "/vision"})
    cluster.deploy(configuration)
    with (
        httpx.Client(base_url=f"{address}/vision", timeout=60) as anonymous,
        Client(address) as first,
        Client(f"{address}/vision", api_key=KEY) as second,
    ):
        assert [first.predict(IMAGE).version, second.predict(IMAGE).version] == ["next", "1"]
        assert anonymous.post("/predict", content=IMAGE.read_bytes()).status_code == 401
        # Paths without the prefix are what says that these need no key.
        assert anonymous.get("/health/ready").status_code == 200
        assert "<title>" in anonymous.get("/").text
        described = anonymous.get("/openapi.json").json()
        assert described["servers"] == [{"url": "/vision"}]
    assert set(replicas(cluster)) == set(before)


def test_who_waits_as_long_as_told_is_answered_by_one_replica_or_another(
    cluster: RayCluster, address: str
) -> None:
    assert len(replicas(cluster, "other")) == 2
    with load(f"{address}/vision", 8) as answers:
        cluster.wait_until(lambda: {200, 429} <= {status for status, _ in answers})

    # Each replica keeps places for those whom it sent away itself. Who comes back to the other one may be
    # sent away again: where eight ask at a time for two places, more often than a client tries by default.
    def ask(_: int) -> str:
        with Client(f"{address}/vision", api_key=KEY, retries=30) as client:
            return client.predict(IMAGE).predictions[0].top[0].label

    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(ask, range(24)))) == 24


def test_replicas_come_with_requests_and_go_without(
    cluster: RayCluster, address: str, port: int, new_version: str
) -> None:
    soon = {"upscale_delay_s": 1, "downscale_delay_s": 2, "look_back_period_s": 2, "metrics_interval_s": 0.5}
    few = {"min_replicas": 1, "max_replicas": 2, "target_ongoing_requests": 0.05}
    cluster.deploy(changed(port, {"model_dir": new_version}, **soon, **few))
    cluster.wait_until(lambda: len(replicas(cluster)) == 1)
    with load(address, 4) as answers:
        cluster.wait_until(lambda: len(replicas(cluster)) == 2)
    cluster.wait_until(lambda: len(replicas(cluster)) == 1)
    assert {status for status, _ in answers} == {200}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        *(({name: 1}, f"{name}: of no use in a replica") for name in UNUSABLE),
        ({"max_batch": -1}, "max_batch: Input should be greater than or equal to 0"),
        ({"max_batches": 1}, "max_batches: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_setting_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(StartError, match=message):
        application(arguments)


def test_a_replica_has_its_cores_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment of whoever deploys says of processes."""
    monkeypatch.setenv("WORKERS", "4")
    (settings,) = application({})._bound_deployment.init_args
    assert settings.workers == 1


def test_the_loading_of_models_is_refused_where_the_environment_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESNET_SERVE_MODEL_REPOSITORY", str(tmp_path))
    monkeypatch.setenv("RESNET_SERVE_MANAGEMENT", "true")
    with pytest.raises(StartError, match=r"^RESNET_SERVE_MANAGEMENT: .* would reach one replica only$"):
        application({})


def test_a_replica_whose_engine_is_stuck_is_not_healthy() -> None:
    times = iter((0.0, 1.0, 60.0, 60.0))
    watch = EngineWatch(lambda: next(times))
    replica: Any = SimpleNamespace(_service=SimpleNamespace(state=SimpleNamespace(engine_watch=watch)))
    with watch.computing():
        Replica.check_health(replica)
        with pytest.raises(RuntimeError, match="not finished a batch for 60 s"):
            Replica.check_health(replica)
