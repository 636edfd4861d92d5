"""GET /metrics: the metrics of this app, of every route by its template."""

from collections.abc import Iterator

import pytest

from app.main import create_app
from app.settings import Settings
from tests.support.exposition import samples
from tests.support.service import Client, running


@pytest.fixture
def client(settings: Settings) -> Iterator[Client]:
    """A service that nothing has been asked of yet."""
    with running(create_app(settings)) as client:
        yield client


def _read(client: Client) -> dict[str, float]:
    return samples(client.get("/metrics").text)


def _requests(client: Client) -> dict[tuple[str, ...], float]:
    """(method, route, status) -> requests."""
    prefix = "resnet_serve_requests_total{"
    read = {name: value for name, value in _read(client).items() if name.startswith(prefix)}
    return {tuple(name.split('"')[1::2]): value for name, value in read.items()}


def test_it_is_text_that_prometheus_reads(client: Client) -> None:
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")


def test_requests_are_counted_by_route_and_status(client: Client) -> None:
    name = client.get("/models").json()["models"][0]["name"]
    client.get(f"/models/{name}")
    client.get("/models/no-such-model")
    client.get("/no/such/page")
    client.post("/predict", content=b"no image", headers={"Content-Type": "image/png"})
    client.post("/predict", content=b"x" * 1_000_001, headers={"Content-Type": "image/png"})
    assert _requests(client) == {
        ("GET", "/models", "200"): 1,
        ("GET", "/models/{name}", "200"): 1,
        ("GET", "/models/{name}", "404"): 1,
        ("GET", "unmatched", "404"): 1,
        ("POST", "/predict", "415"): 1,
        ("POST", "/predict", "413"): 1,
    }


def test_no_route_of_the_api_is_counted_as_unmatched(client: Client) -> None:
    documented = client.get("/openapi.json").json()["paths"]
    assert "/predict" in documented
    for path, operations in documented.items():
        for method in operations:
            client.request(method.upper(), path.replace("{", "").replace("}", ""))
    counted = {(method, route) for method, route, _ in _requests(client)}
    for path, operations in documented.items():
        for method in operations:
            assert (method.upper(), path) in counted


def test_the_model_is_named(client: Client) -> None:
    described = client.get("/models/lenet-test").json()["engine"]
    labels = (
        f'engine="{described["name"]}",name="lenet-test",precision="{described["precision"]}",version="1"'
    )
    assert _read(client)[f"resnet_serve_model_info{{{labels}}}"] == 1


def test_another_app_counts_for_itself(client: Client, settings: Settings) -> None:
    client.get("/health/live")
    with running(create_app(settings)) as other:
        assert ("GET", "/health/live", "200") not in _requests(other)
    assert _requests(client)["GET", "/health/live", "200"] == 1
