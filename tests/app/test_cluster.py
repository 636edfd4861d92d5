"""The application on a local Ray cluster: the same answers, from replicas that come, go and die."""

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from socket import create_server
from typing import Any

import httpx
import pytest
import yaml

from app.client import Client
from app.errors import StartError
from tests.documents.documents import ROOT
from tests.support.artifacts import save_small_artifact
from tests.support.server_process import running

ray = pytest.importorskip("ray", reason="no Ray: pip install 'resnet-serve[ray]'")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of Ray's about itself
    from ray import serve
    from ray.serve.schema import ServeDeploySchema

    from app.cluster import UNUSABLE, application

pytestmark = pytest.mark.filterwarnings("ignore")

IMAGE = ROOT / "app" / "static" / "samples" / "dog.png"
PATIENCE_SECONDS = 240
NAME = "resnet-serve"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for version in ("1", "2"):
        save_small_artifact(folder / "lenet-test" / version, version=version)
    return folder


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    ray.init(num_cpus=2, object_store_memory=100_000_000, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()
    ray.shutdown()


def deploy(model: Path, replicas: int | dict[str, Any], **others: object) -> None:
    """Deploy a number of replicas, or as many as an autoscaling configuration says; `others` are settings.

    Returns when they serve.
    """
    settings = {"model_dir": str(model), "device": "cpu", "engine_threads": 1, **others}
    bound = application(settings)._bound_deployment
    number = "num_replicas" if isinstance(replicas, int) else "autoscaling_config"
    options: dict[str, Any] = {number: replicas, "ray_actor_options": {"num_cpus": 0.25}}
    serve.run(bound.options(**options).bind(*bound.init_args), name=NAME, route_prefix="/")


def replicas() -> int:
    """How many replicas serve."""
    states: dict[str, int] = serve.status().applications[NAME].deployments["Replica"].replica_states
    return states.get("RUNNING", 0)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_SECONDS} s"
        time.sleep(0.2)


@contextmanager
def load(address: str, clients: int) -> Iterator[list[tuple[int, str]]]:
    """Ask from so many clients until the block ends; the list gets each answer's status and version."""
    answers: list[tuple[int, str]] = []
    ended = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as client:
            while not ended.is_set():
                response = client.post(
                    "/predict", content=IMAGE.read_bytes(), headers={"Content-Type": "image/png"}
                )
                version = response.json()["model"]["version"] if response.status_code == 200 else ""
                answers.append((response.status_code, version))

    with ThreadPoolExecutor(clients) as threads:
        asking = [threads.submit(ask) for _ in range(clients)]
        try:
            yield answers
        finally:
            ended.set()
        for each in asking:
            each.result()


def test_two_replicas_answer_as_one_process_does(address: str, models: Path) -> None:
    deploy(models / "lenet-test" / "1", 2)
    assert replicas() == 2
    with (
        running(models / "lenet-test" / "1") as (_, single, _),
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
                httpx.post(base + path, content=content, headers={"Content-Type": "image/png"}, timeout=60)
                for base in (address, single)
            ]
            assert wrong[0].status_code == wrong[1].status_code
            assert wrong[0].json() == wrong[1].json()
        for path in ("/health/ready", "/v2/health/ready", "/v2/models/lenet-test"):
            assert httpx.get(address + path, timeout=60).json() == httpx.get(single + path, timeout=60).json()


def test_a_replica_that_is_killed_is_replaced_and_no_request_stays_unanswered(address: str) -> None:
    with load(address, 4) as answers:
        wait_until(lambda: len(answers) > 20)
        name = next(
            actor["name"]
            for actor in ray.util.list_named_actors(all_namespaces=True)
            if actor["name"].startswith(f"SERVE_REPLICA::{NAME}#Replica#")
        )
        ray.kill(ray.get_actor(name, namespace="serve"))
        before = len(answers)
        wait_until(lambda: len(answers) > before + 20)
        wait_until(
            lambda: replicas() == 2 and name not in str(ray.util.list_named_actors(all_namespaces=True))
        )
    statuses = [status for status, _ in answers]
    assert set(statuses) <= {200, 500, 503}
    assert statuses[-1] == 200


def test_a_new_version_replaces_the_old_one_under_load_and_no_request_is_lost(
    address: str, models: Path
) -> None:
    with load(address, 4) as answers:
        wait_until(lambda: len(answers) > 20)
        deploy(models / "lenet-test" / "2", 2)
        before = len(answers)
        wait_until(lambda: len(answers) > before + 20)
    assert {status for status, _ in answers} == {200}
    assert (answers[0][1], answers[-1][1]) == ("1", "2")


def test_who_waits_as_long_as_told_is_answered_by_one_replica_or_another(address: str, models: Path) -> None:
    deploy(models / "lenet-test" / "2", 2, max_concurrent_requests=1)
    with load(address, 8) as answers:
        wait_until(lambda: {200, 429} <= {status for status, _ in answers})

    def ask(_: int) -> str:
        with Client(address) as client:
            return client.predict(IMAGE).predictions[0].top[0].label

    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(ask, range(24)))) == 24


def test_replicas_come_with_requests_and_go_without(address: str, models: Path) -> None:
    scaling = {
        "min_replicas": 1,
        "max_replicas": 2,
        "target_ongoing_requests": 2,
        "upscale_delay_s": 1,
        "downscale_delay_s": 2,
        "look_back_period_s": 2,
        "metrics_interval_s": 0.5,
    }
    deploy(models / "lenet-test" / "1", scaling)
    wait_until(lambda: replicas() == 1)
    with load(address, 12) as answers:
        wait_until(lambda: replicas() == 2)
    wait_until(lambda: replicas() == 1)
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


def test_the_configuration_file_deploys_this_application() -> None:
    written = yaml.safe_load((ROOT / "app" / "deploy" / "ray" / "serve.yaml").read_text())
    (described,) = ServeDeploySchema.model_validate(written).applications
    assert described.import_path == "app.cluster:application"
    (deployment,) = described.deployments
    assert application(described.args)._bound_deployment.name == deployment.name
