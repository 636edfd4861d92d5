"""Clients that ask more often than they may."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image

from app.client import Client as ServiceClient
from app.main import create_app
from app.settings import Settings
from tests.support.server_process import running as running_process
from tests.support.service import error_of, png_of, running

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"
PNG = png_of(Image.new("RGB", (32, 32), "red"))
RAW = {"Content-Type": "image/png"}
PROXY = "127.0.0.2"


def test_each_key_has_its_own_limit_and_is_told_when_to_come_back(model_dir: Path) -> None:
    settings = Settings(model_dir=model_dir, device="cpu", api_keys=f"{KEY},{OTHER}", rate_limit="2/hour")
    with running(create_app(settings)) as client:
        mine = {"X-API-Key": KEY}
        assert client.post("/predict", content=PNG, headers={**RAW, **mine}).status_code == 200
        assert client.get("/models", headers=mine).status_code == 200
        refused = client.post("/predict", content=PNG, headers={**RAW, **mine})
        error = error_of(refused)
        assert (refused.status_code, error["code"], error["field"]) == (429, "rate_limited", None)
        assert 3000 <= int(refused.headers["retry-after"]) <= 3600
        assert f"2/hour requests; try again in {refused.headers['retry-after']} s" in str(error["message"])
        below_v2 = client.get("/v2", headers=mine)
        assert (below_v2.status_code, set(below_v2.json())) == (429, {"error"})
        for path in ("/", "/static/app.js", "/health/ready", "/v2/health/live", "/metrics"):
            assert client.get(path, headers=mine).status_code == 200
        assert client.get("/models", headers={"X-API-Key": OTHER}).status_code == 200
        counted = client.get("/metrics", headers=mine).text
        assert 'resnet_serve_rejections_total{reason="rate_limited"} 2.0' in counted
        assert 'reason="overloaded"' not in counted
        assert KEY not in counted


@pytest.fixture(scope="module")
def url(model_dir: Path) -> Iterator[str]:
    settings = {"RESNET_SERVE_RATE_LIMIT": "2/second", "RESNET_SERVE_TRUSTED_PROXIES": PROXY}
    with running_process(model_dir, settings) as (_, url, _):
        yield url


def test_a_client_that_waits_as_it_is_told_gets_all_its_answers(url: str) -> None:
    with ServiceClient(url, retries=10) as client:
        assert [client.models()[0].name for _ in range(6)] == ["lenet-test"] * 6
    assert 'reason="rate_limited"' in httpx.get(f"{url}/metrics").text


@pytest.mark.parametrize(("sender", "believed"), [(PROXY, True), ("127.0.0.3", False)])
def test_only_a_trusted_proxy_says_which_address_a_client_has(url: str, sender: str, believed: bool) -> None:
    """Forty answers to a client each, or to one client, who would need twenty seconds for them."""
    with httpx.Client(transport=httpx.HTTPTransport(local_address=sender), base_url=url) as client:
        answers = [
            client.get("/models", headers={"X-Forwarded-For": f"10.0.0.{number}"}) for number in range(40)
        ]
    assert all(answer.status_code == 200 for answer in answers) is believed
