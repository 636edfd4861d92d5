"""The names that a request may ask the service by."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.errors import SettingsError
from app.http.middleware.trusted_hosts import TrustedHosts
from app.main import create_app
from app.settings import Settings, load_settings
from tests.support.service import Client, error_of, running

HOSTS = "example.org, *.Example.com,10.0.0.7, [fd00::1]"


@pytest.fixture(scope="module")
def known(model_dir: Path) -> Iterator[Client]:
    settings = Settings(model_dir=model_dir, device="cpu", trusted_hosts=HOSTS)
    with running(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize(
    "host",
    [
        "example.org",
        "EXAMPLE.org:8000",
        "a.example.com",
        "a.b.example.com:443",
        "10.0.0.7:80",
        "[fd00::1]",
        "[fd00::1]:8000",
    ],
)
def test_a_listed_name_is_answered(known: Client, host: str) -> None:
    assert known.get("/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil-example.com",
        "example.com",
        "a.example.org",
        "example.org.evil.example",
        "example.org@evil.example",
        "10.0.0.77",
        "[fd00::2]:8000",
        "example.org:80:80",
        "",
    ],
)
def test_any_other_is_400(known: Client, host: str) -> None:
    for path in ("/models", "/", "/metrics", "/nowhere"):
        response = known.get(path, headers={"Host": host})
        error = error_of(response)
        assert (response.status_code, error["code"], error["field"]) == (400, "unknown_host", "Host")
        assert response.headers["x-request-id"]
    response = known.get("/v2", headers={"Host": host})
    assert (response.status_code, set(response.json())) == (400, {"error"})


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"])
def test_health_is_told_under_any_name(known: Client, path: str) -> None:
    assert known.get(path, headers={"Host": "172.17.0.2:8000"}).status_code == 200


@pytest.mark.parametrize("hosts", [[], [b"example.org", b"evil.example"], [b"example.org", b"example.org"]])
def test_there_must_be_one_name_and_no_second(hosts: list[bytes]) -> None:
    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pytest.fail("the application was called")

    async def receive() -> Message:
        pytest.fail("nothing is to be received")

    async def send(message: Message) -> None:
        sent.append(message)

    sent: list[Message] = []
    headers = [(b"host", host) for host in hosts]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
    asyncio.run(TrustedHosts(app, ["example.org"])(scope, receive, send))
    assert sent[0]["status"] == 400


@pytest.mark.parametrize("hosts", ["", "*", "example.org,*"])
def test_without_names_any_will_do(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("RESNET_SERVE_TRUSTED_HOSTS", hosts)
    assert load_settings().known_hosts() == []


@pytest.mark.parametrize(
    "hosts",
    ["https://example.org", "example.org:8000", "*example.org", "a.*.org", "*.", "a b", "::1", "a..b"],
)
def test_what_is_no_name_stops_the_start(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("RESNET_SERVE_TRUSTED_HOSTS", hosts)
    with pytest.raises(
        SettingsError, match=r"^RESNET_SERVE_TRUSTED_HOSTS: must be names such as example.org"
    ):
        load_settings()
