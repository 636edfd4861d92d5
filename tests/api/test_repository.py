"""Several models and versions in one service, loaded and unloaded while it serves."""

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from app.errors import StartError
from app.main import check, create_app
from app.settings import Settings
from models.artifact.store import ArtifactError
from tests.support.artifacts import save_small_artifact
from tests.support.exposition import samples
from tests.support.service import Client, error_of, png_of, running

PNG = {"content": png_of(Image.new("RGB", (32, 32), "green")), "headers": {"Content-Type": "image/png"}}
ROOT = "/v2/repository"


def _save(repository: Path, name: str, version: str) -> Path:
    return save_small_artifact(repository / name / version, name=name, version=version)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    for name, version in (("cats", "1"), ("cats", "2"), ("dogs", "1"), ("dogs", "3")):
        _save(folder, name, version)
    _save(folder, "cats", "4").joinpath("golden.safetensors").unlink()
    shutil.copytree(folder / "cats" / "1", folder / "cats" / "5")
    return folder


def _settings(repository: Path, **others: object) -> Settings:
    # The engine that is ready soonest.
    quick = {"engine": "torch", "device": "cpu", "max_batch": 1, "engine_threads": 1, "precision": "float32"}
    return Settings.model_validate({"model_repository": repository, **quick, **others})


@pytest.fixture(scope="module")
def served(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Of cats version 2 is the newest at the start, and the default; the broken ones come later."""
    folder = tmp_path_factory.mktemp("served")
    for path in ("cats/1", "cats/2", "dogs/1", "dogs/3"):
        shutil.copytree(repository / path, folder / path)
    with running(create_app(_settings(folder, management=True, max_models=4))) as client:
        for path in ("cats/4", "cats/5"):
            shutil.copytree(repository / path, folder / path)
        yield client


def _load(client: Client, name: str, version: str | None = None) -> httpx.Response:
    parameters = {} if version is None else {"version": version}
    return client.post(f"{ROOT}/models/{name}/load", json={"parameters": parameters})


def _unload(client: Client, name: str, version: str | None = None) -> httpx.Response:
    parameters = {} if version is None else {"version": version}
    return client.post(f"{ROOT}/models/{name}/unload", json={"parameters": parameters})


def _answering(client: Client, query: str = "") -> str:
    response = client.post(f"/predict{query}", **PNG)
    assert response.status_code == 200, response.text
    model = response.json()["model"]
    return f"{model['name']}/{model['version']}"


@pytest.fixture(autouse=True)
def as_at_the_start(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "served" in request.fixturenames:
        client = request.getfixturevalue("served")
        for name, version in (("cats", "2"), ("dogs", "3")):
            assert _load(client, name, version).status_code == 200
            _unload(client, name, "1")


def test_the_newest_version_of_each_is_served_at_the_start(served: Client) -> None:
    """GET /models lists them, the default first; each answers for its name."""
    listed = served.get("/models").json()["models"]
    assert [(each["name"], each["version"], each["current"]) for each in listed] == [
        ("cats", "2", True),
        ("dogs", "3", True),
    ]
    assert [_answering(served), _answering(served, "?model=dogs")] == ["cats/2", "dogs/3"]


def test_the_index_lists_what_could_be_loaded_too(served: Client) -> None:
    index = served.post(f"{ROOT}/index").json()
    assert {(each["name"], each["version"]): each["state"] for each in index} == {
        ("cats", "2"): "READY",
        ("dogs", "3"): "READY",
        ("cats", "1"): "UNAVAILABLE",
        ("cats", "4"): "UNAVAILABLE",
        ("cats", "5"): "UNAVAILABLE",
        ("dogs", "1"): "UNAVAILABLE",
    }
    ready = served.post(f"{ROOT}/index", json={"ready": True}).json()
    assert [each["state"] for each in ready] == ["READY", "READY"]


def test_a_loaded_version_answers_and_the_earlier_one_by_its_number(served: Client) -> None:
    """Both are served side by side; loading the earlier one again is the way back."""
    loaded = _load(served, "dogs", "1")
    assert (loaded.status_code, loaded.content) == (200, b"")
    assert _answering(served, "?model=dogs") == "dogs/1"
    assert _answering(served, "?model=dogs&version=3") == "dogs/3"
    assert _answering(served) == "cats/2"
    assert served.get("/v2/models/dogs").json()["versions"] == ["3", "1"]
    assert served.get("/models/dogs").json()["metadata"]["version"] == "1"
    assert served.get("/models/dogs?version=3").json()["metadata"]["version"] == "3"
    assert _load(served, "dogs", "3").status_code == 200
    assert _answering(served, "?model=dogs") == "dogs/3"


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("4", "golden.safetensors: the file is missing"),
        ("5", "the model calls itself cats/1, so it must lie in "),
        (None, "the model calls itself cats/1, so it must lie in "),
    ],
)
def test_a_model_that_is_not_fit_is_refused_and_the_old_one_serves_on(
    served: Client, version: str | None, message: str
) -> None:
    """422, and a sentence that names the file."""
    refused = _load(served, "cats", version)
    assert refused.status_code == 422
    assert message in refused.json()["error"]
    assert _answering(served) == "cats/2"
    assert len(served.get("/models").json()["models"]) == 2


def test_an_unknown_model_or_version_is_404(served: Client) -> None:
    """The message names what there is, the field is the parameter."""
    assert _load(served, "birds").json() == {"error": "there is no model 'birds'; choose from cats, dogs"}
    assert _load(served, "dogs", "2").status_code == 404
    assert _unload(served, "dogs", "1").json() == {"error": "there is no version '1' of dogs; choose from 3"}
    for query, code, field in (
        ("?model=birds", "unknown_model", "model"),
        ("?model=cats&version=9", "unknown_version", "version"),
        ("?version=9", "unknown_version", "version"),
    ):
        response = served.post(f"/predict{query}", **PNG)
        error = error_of(response)
        assert (response.status_code, error["code"], error["field"]) == (404, code, field)


def test_every_loaded_version_can_be_looked_into(served: Client) -> None:
    """Not the default alone: what explains and previews takes the model that /predict would take."""
    assert _load(served, "dogs", "1").status_code == 200
    looked = served.get("/models/dogs/batch-norm?version=3&batch=1").json()
    assert looked["model"] == {"name": "dogs", "version": "3"}
    assert served.get("/models/dogs/batch-norm?batch=1").json()["model"]["version"] == "1"
    refused = error_of(served.post("/explain?model=dogs", **PNG))
    assert (refused["code"], (refused["message"] or "")[:6]) == ("no_class_activation", "dogs: ")
    preview = "/augment-preview?format=json&predict=true&rows=1&cols=1"
    counted = 'resnet_serve_images_total{name="dogs",version="3"}'
    before = samples(served.get("/metrics").text).get(counted, 0)
    assert served.get(f"{preview}&model=dogs&version=3").status_code == 200
    assert samples(served.get("/metrics").text)[counted] == before + 2
    for query, code in (("?model=birds", "unknown_model"), ("?version=9", "unknown_version")):
        for response in (
            served.post(f"/explain{query}", **PNG),
            served.get(f"/augment-preview{query}"),
            served.post(f"/augment-preview{query}", **PNG),
        ):
            assert (response.status_code, error_of(response)["code"]) == (404, code)


def test_pages_of_other_sites_may_not_manage(tmp_path: Path) -> None:
    """`foreign_origin`: a browser sends what a page asks for even if that may not see the answer."""
    _save(tmp_path, "dogs", "1")
    settings = _settings(tmp_path, management=True, cors_origins="https://friend.example")
    with running(create_app(settings)) as client:
        for origin in ("https://evil.example", "null", "http://test:8001", "http://", "http://[", ""):
            for path in ("load", "unload"):
                answer = client.post(f"{ROOT}/models/dogs/{path}", headers={"Origin": origin})
                assert answer.status_code == 403
                assert "RESNET_SERVE_CORS_ORIGINS" in answer.json()["error"]
        for origin in ("http://test", "https://friend.example"):
            assert client.post(f"{ROOT}/models/dogs/load", headers={"Origin": origin}).status_code == 200


def test_what_is_unloaded_is_gone_and_may_come_back(served: Client) -> None:
    assert _unload(served, "dogs").status_code == 200
    assert served.post("/predict?model=dogs", **PNG).status_code == 404
    assert served.get("/v2/models/dogs/ready").status_code == 404
    metrics = samples(served.get("/metrics").text)
    info = 'resnet_serve_model_info{engine="torch",name="dogs",precision="float32",version="3"}'
    assert metrics[info] == 0
    for _ in range(2):  # the second time in its own place
        assert _load(served, "dogs").status_code == 200
        assert samples(served.get("/metrics").text)[info] == 1


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b'{"parameters": {"config": "{}"}}', 422, "config: there is no such parameter"),
        (b'{"version": "1"}', 422, "version: there is no such parameter"),
        (b'{"parameters": {"version": 1}}', 422, "version: Input should be a valid string"),
        (b"[]", 422, "Input should be an object"),
        (b"{", 400, "Invalid JSON"),
    ],
)
def test_a_body_that_is_not_understood_is_refused(
    served: Client, body: bytes, status: int, message: str
) -> None:
    """The message names the field. JSON needs no content type here, as clients send none."""
    refused = served.post(f"{ROOT}/models/dogs/load", content=body)
    assert refused.status_code == status
    assert message in refused.json()["error"]


def test_the_last_version_of_the_default_model_stays(served: Client) -> None:
    """409: requests that name no model go to it."""
    refused = _unload(served, "cats")
    assert refused.status_code == 409
    assert "cats answers the requests that name no model" in refused.json()["error"]
    assert _answering(served) == "cats/2"


def test_more_than_max_models_are_not_loaded(served: Client) -> None:
    """409, until one is unloaded."""
    assert _load(served, "cats", "1").status_code == 200
    assert _load(served, "dogs", "1").status_code == 200
    refused = _load(served, "cats", "4")
    assert refused.status_code == 409
    assert "4 models are loaded" in refused.json()["error"]
    assert "RESNET_SERVE_MAX_MODELS" in refused.json()["error"]


def test_no_request_is_lost_while_a_model_is_loaded_anew(served: Client) -> None:
    stop = threading.Event()

    def ask() -> list[int]:
        statuses = []
        while not stop.is_set():
            statuses.append(served.post("/predict?model=dogs", **PNG).status_code)
        return statuses

    with ThreadPoolExecutor(2) as pool:
        asking = [pool.submit(ask) for _ in range(2)]
        try:
            for version in ("1", "3", "3", "1", "3"):
                assert _load(served, "dogs", version).status_code == 200
        finally:
            stop.set()
        statuses = [status for future in asking for status in future.result()]
    assert len(statuses) > 5
    assert set(statuses) == {200}


@pytest.mark.parametrize("action", ["load", "unload"])
def test_without_management_nothing_is_changed(action: str, client: Client) -> None:
    """403, which says what would allow it."""
    refused = client.post(f"{ROOT}/models/lenet-test/{action}")
    assert refused.status_code == 403
    assert "RESNET_SERVE_MANAGEMENT=true" in refused.json()["error"]
    assert client.get("/v2/models/lenet-test/ready").status_code == 200


def test_default_model_answers_requests_that_name_none(repository: Path, tmp_path: Path) -> None:
    shutil.copytree(repository / "cats" / "1", tmp_path / "cats" / "1")
    shutil.copytree(repository / "dogs", tmp_path / "dogs")
    settings = _settings(tmp_path, default_model="dogs")
    with running(create_app(settings)) as client:
        assert _answering(client) == "dogs/3"
        assert [each["name"] for each in client.get("/models").json()["models"]] == ["dogs", "cats"]
    assert [line.split(" is fit")[0] for line in check(settings)] == ["cats 1", "dogs 3"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"default_model": "birds"}, "RESNET_SERVE_DEFAULT_MODEL=birds: there is only cats, dogs"),
        ({"max_models": 1}, "2 models are in it, more than RESNET_SERVE_MAX_MODELS=1"),
        ({"model_repository": "app/static/samples"}, "no <name>/<version> in it"),
        ({"model_repository": "missing"}, "RESNET_SERVE_MODEL_REPOSITORY=missing: No such file or directory"),
    ],
)
def test_what_cannot_be_served_stops_the_start(
    repository: Path, settings: dict[str, object], message: str
) -> None:
    chosen = _settings(repository, **settings)
    with pytest.raises(StartError, match=message):
        check(chosen)
    with pytest.raises((ArtifactError, OSError), match=message), running(create_app(chosen)):
        pass
