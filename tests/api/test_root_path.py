"""Below a path of a proxy, with that path in the request's or without."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.main import create_app
from app.settings import Settings
from tests.support.predicting import file_field, noise_image
from tests.support.service import Client, png_of, running


@pytest.fixture(scope="module")
def below(model_dir: Path) -> Iterator[Client]:
    settings = Settings(model_dir=model_dir, device="cpu", root_path="/vision", api_keys="0123456789abcdef0")
    with running(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize("prefix", ["", "/vision"])
def test_everything_is_there_with_the_prefix_and_without(below: Client, prefix: str) -> None:
    key = {"X-API-Key": "0123456789abcdef0"}
    for path in ("/", "/docs", "/static/docs/docs.js", "/health/ready", "/v2/health/live"):
        assert below.get(prefix + path).status_code == 200, path
    sent = below.post(f"{prefix}/predict", files=[file_field(png_of(noise_image()))], headers=key)
    assert sent.status_code == 200
    assert below.get(f"{prefix}/models").status_code == 401
    assert 'route="/predict",status="200"' in below.get(f"{prefix}/metrics", headers=key).text
    assert set(below.get(f"{prefix}/v2/models/x", headers=key).json()) == {"error"}


def test_the_document_names_the_prefix(below: Client) -> None:
    document = below.get("/openapi.json").json()
    assert document["servers"] == [{"url": "/vision"}]
    assert "/predict" in document["paths"]
