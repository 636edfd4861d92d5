"""What the settings add to the API's document is what they add to the answers."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.http.uploads import PIXEL
from app.main import create_app
from app.registry import pytorch
from app.settings import Settings
from tests.support.service import Client, running

KEY = "0123456789abcdef"


@pytest.fixture(scope="module")
def guarded(model_dir: Path) -> Iterator[Client]:
    settings = Settings(
        model_dir=model_dir, device="cpu", api_keys=KEY, rate_limit="1/hour", trusted_hosts="test"
    )
    with running(create_app(settings)) as client:
        yield client


def _operations(client: Client) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, operations in client.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            yield method.upper(), path.format(name="lenet-test", version="1", id="none"), operation


def test_who_asks_without_a_key_is_refused_just_where_the_document_says_so(guarded: Client) -> None:
    for method, path, operation in _operations(guarded):
        status = guarded.request(method, path).status_code
        assert (status == 401) == ("401" in operation["responses"]), path
        assert (status == 401) == (operation.get("security") == [{"bearer": []}, {"x_api_key": []}]), path
    schemes = guarded.get("/openapi.json").json()["components"]["securitySchemes"]
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
    assert schemes["x_api_key"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}


def test_who_asks_too_often_is_refused_just_where_the_document_says_so(guarded: Client) -> None:
    key = {"X-API-Key": KEY}
    guarded.get("/models", headers=key)
    for method, path, operation in _operations(guarded):
        status = guarded.request(method, path, headers=key).status_code
        assert (status == 429) == ("429" in operation["responses"]), path


def test_who_asks_by_another_name_is_refused_just_where_the_document_says_so(guarded: Client) -> None:
    for method, path, operation in _operations(guarded):
        status = guarded.request(method, path, headers={"Host": "evil.example"}).status_code
        assert (status == 400) == ("400" in operation["responses"]), path


def test_who_sends_an_unknown_parameter_is_refused_where_the_document_says_so(client: Client) -> None:
    for method, path, operation in _operations(client):
        if client.request(method, f"{path}?unheard-of=1").status_code == 422:
            assert "422" in operation["responses"], path


def test_what_needs_pytorch_is_refused_without_it_just_where_the_document_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pytorch, "_imported", False)
    monkeypatch.setattr(pytorch, "find_spec", lambda _: None)
    image = {"content": base64.b64decode(PIXEL), "headers": {"Content-Type": "image/gif"}}
    said, refused = set(), {("POST", "/explain")}  # which refuses the small network before
    for method, path, operation in _operations(client):
        asked = f"{path}?views=2" if path == "/predict" else path
        if client.request(method, asked, **(image if method == "POST" else {})).status_code == 501:
            refused.add((method, path))
        if "501" in operation["responses"]:
            said.add((method, path))
    assert said == refused


def test_without_settings_nothing_is_added(client: Client) -> None:
    document = client.get("/openapi.json").json()
    assert "securitySchemes" not in document["components"]
    for _, _, operation in _operations(client):
        assert "security" not in operation
        assert "401" not in operation["responses"]


def test_the_example_of_inference_can_be_sent_as_it_stands(client: Client) -> None:
    body = client.get("/openapi.json").json()["paths"]["/v2/models/{name}/infer"]["post"]["requestBody"]
    response = client.post("/v2/models/lenet-test/infer", json=body["content"]["application/json"]["example"])
    assert response.status_code == 200, response.text
