"""What is believed of proxies, and only of those that are trusted."""

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.http.middleware.trusted_proxies import TrustedProxies


def _asked(
    path: str, headers: list[tuple[bytes, bytes]], client: str, root_path: str = "", trusted: str = "10.0.0.5"
) -> Scope:
    """The scope that the app is asked with."""
    seen: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope)

    async def unused(*_: Message) -> Message:
        pytest.fail("nothing is sent or received")

    scope = {"type": "http", "path": path, "headers": headers, "client": (client, 1)}
    asyncio.run(TrustedProxies(app, [trusted], root_path)(scope, unused, unused))
    return seen[0]


def _seen(path: str, prefix: str | None, *, client: str = "10.0.0.5", root_path: str = "") -> tuple[str, str]:
    """The path and the root path that the app is asked with."""
    headers = [] if prefix is None else [(b"x-forwarded-prefix", prefix.encode())]
    scope = _asked(path, headers, client, root_path)
    return scope["path"], scope.get("root_path", "")


@pytest.mark.parametrize("trusted", ["10.0.0.5", "10.0.0.0/24", "::ffff:10.0.0.5", "::ffff:10.0.0.0/120"])
def test_a_proxy_of_ipv4_is_trusted_where_the_service_listens_on_ipv6(trusted: str) -> None:
    headers = [(b"x-forwarded-for", b"203.0.113.7"), (b"x-forwarded-prefix", b"/api")]
    scope = _asked("/api/predict", headers, "::ffff:10.0.0.5", trusted=trusted)
    assert (scope["client"][0], scope["path"]) == ("203.0.113.7", "/predict")
    other = _asked("/api/predict", headers, "::ffff:10.0.1.6", trusted=trusted)
    assert (other["client"][0], other["path"]) == ("10.0.1.6", "/api/predict")


@pytest.mark.parametrize("trusted", ["10.0.0.0/24", "::ffff:10.0.0.0/120"])
@pytest.mark.parametrize("second", ["10.0.0.4", "::ffff:10.0.0.4", "[::ffff:10.0.0.4]:4321"])
@pytest.mark.parametrize("socket", ["10.0.0.5", "::ffff:10.0.0.5"])
def test_a_proxy_of_ipv4_is_trusted_where_another_proxy_listens_on_ipv6(
    trusted: str, second: str, socket: str
) -> None:
    """Or all visitors would share the rate limit of the first proxy."""
    forwarded = [(b"x-forwarded-for", f"203.0.113.7, {second}".encode())]
    assert _asked("/", forwarded, socket, trusted=trusted)["client"][0] == "203.0.113.7"
    stranger = [(b"x-forwarded-for", b"203.0.113.7, ::ffff:10.0.1.4")]
    assert _asked("/", stranger, socket, trusted=trusted)["client"][0] == "::ffff:10.0.1.4"


@pytest.mark.parametrize("path", ["/api/predict", "/predict"])
def test_a_trusted_proxy_names_the_prefix_whether_it_leaves_it_in_the_path_or_not(path: str) -> None:
    assert _seen(path, "/api") == ("/predict", "")
    assert _seen(path, "/api/") == ("/predict", "")
    assert _seen(path, None, root_path="/api") == ("/predict", "")
    assert _seen(path, "/api", root_path="/other") == ("/predict", "")


@pytest.mark.parametrize("path", ["/api/openapi.json", "/openapi.json"])
def test_the_document_learns_the_prefix(path: str) -> None:
    assert _seen(path, "/api", root_path="/other") == ("/openapi.json", "/api")
    assert _seen(path, None, root_path="/api") == ("/openapi.json", "/api")


def test_the_prefix_alone_is_the_page() -> None:
    assert _seen("/api", "/api") == ("/", "")
    assert _seen("/apis", "/api") == ("/apis", "")


@pytest.mark.parametrize("prefix", ["api", "/a b", "//evil.example", "/a\"'<", "/", ""])
def test_what_is_no_prefix_is_ignored(prefix: str) -> None:
    assert _seen("/openapi.json", prefix) == ("/openapi.json", "")


def test_nobody_else_is_believed() -> None:
    document = "/openapi.json"
    assert _seen("/api/predict", "/api", client="10.0.0.6") == ("/api/predict", "")
    assert _seen(document, "/api", client="10.0.0.6") == (document, "")
    assert _seen(document, "/api", client="10.0.0.6", root_path="/own") == (document, "/own")
