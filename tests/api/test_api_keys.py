"""Keys, other web sites, and what browsers are told."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from app.main import create_app
from app.settings import Settings
from app.v2.schema import EXAMPLE
from tests.support.service import Client, error_of, png_of, running

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"
SITE = "https://example.org"
PNG = png_of(Image.new("RGB", (32, 32), "red"))


@pytest.fixture(scope="module")
def guarded(model_dir: Path) -> Iterator[Client]:
    settings = Settings(model_dir=model_dir, device="cpu", api_keys=f"{OTHER},{KEY}", cors_origins=SITE)
    with running(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {KEY}"}, {"Authorization": f"bearer  {OTHER} "}, {"X-API-Key": KEY}],
)
def test_a_known_key_is_let_in(guarded: Client, headers: dict[str, str]) -> None:
    assert guarded.get("/models", headers=headers).status_code == 200
    sent = guarded.post("/predict", content=PNG, headers={"Content-Type": "image/png", **headers})
    assert sent.status_code == 200
    assert guarded.get("/v2", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": f"Bearer {KEY[:-1]}"},
        {"X-API-Key": f"{OTHER},{KEY}"},
        {"X-API-Key": ""},
        {"X-API-Key": "é".encode()},
    ],
)
def test_no_key_and_any_other_are_turned_away(guarded: Client, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/models"), ("POST", "/predict"), ("GET", "/metrics"), ("GET", "/nowhere")):
        response = guarded.request(method, path, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert error_of(response)["code"] == "unauthorized"
    response = guarded.get("/v2/models/lenet-test", headers=headers)
    assert (response.status_code, set(response.json())) == (401, {"error"})


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/static/app.js", "/health/ready", "/v2/health/live"]
)
def test_page_documentation_and_health_are_open(guarded: Client, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_without_keys_no_key_is_asked(client: Client) -> None:
    assert client.get("/models").status_code == 200


def test_one_right_key_among_several_will_do(guarded: Client) -> None:
    """A gateway may carry an `Authorization` of its own."""
    for headers in (
        [("Authorization", "Bearer of-the-gateway"), ("X-API-Key", KEY)],
        [("X-API-Key", "0000000000000000"), ("Authorization", f"Bearer {KEY}")],
        [("X-API-Key", "0000000000000000"), ("X-API-Key", KEY)],
    ):
        assert guarded.get("/models", headers=headers).status_code == 200
    wrong = [("X-API-Key", "0000000000000000"), ("Authorization", "Bearer of-the-gateway")]
    assert guarded.get("/models", headers=wrong).status_code == 401


def test_a_named_site_may_ask_and_no_other(guarded: Client, client: Client) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key"}
    allowed = guarded.request("OPTIONS", "/predict", headers={"Origin": SITE, **asked})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == SITE
    answer = guarded.get("/models", headers={"Origin": SITE, "X-API-Key": KEY})
    assert answer.headers["access-control-allow-origin"] == SITE
    exposed = answer.headers["access-control-expose-headers"]
    # The second says where the binary data of an answer begin.
    assert {"X-Request-ID", "Inference-Header-Content-Length"} <= set(exposed.split(", "))
    for other in (guarded, client):
        refused = other.get("/health/live", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in refused.headers
    assert "access-control-allow-origin" not in client.get("/models", headers={"Origin": SITE}).headers


@pytest.mark.parametrize("path", ["/", "/docs", "/static/app.js", "/models", "/nowhere"])
def test_every_answer_says_what_it_may_load(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_an_unexpected_error_is_readable_for_a_named_site_too(
    guarded: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded.app.state.context.model.engine, "predict", lambda _: 1 / 0)
    for path in ("/predict", "/v2/models/lenet-test/infer"):
        headers = {"Origin": SITE, "X-API-Key": KEY, "Content-Type": "image/png"}
        content = PNG if path == "/predict" else json.dumps(EXAMPLE).encode()
        failed = guarded.post(path, content=content, headers=headers)
        assert failed.status_code == 500
        assert failed.headers["access-control-allow-origin"] == SITE
        assert failed.headers["x-request-id"]
