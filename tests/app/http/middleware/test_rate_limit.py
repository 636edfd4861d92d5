"""Counting: how many requests a client may send, when it may send the next, and what is remembered of it."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from app.errors import SettingsError
from app.http.middleware.api_keys import ApiKeys
from app.http.middleware.rate_limit import Quota, RateLimit, Windows
from app.settings import load_settings

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_window_begins_with_the_first_request_and_ends_in_its_time() -> None:
    clock = Clock()
    quota = Quota("3/minute", clock)
    assert [quota.use("a") for _ in range(4)] == [0, 0, 0, 60]
    clock.now += 20.5
    assert quota.use("a") == 40
    assert quota.use("b") == 0
    clock.now += 39.4
    assert quota.use("a") == 1
    clock.now += 0.1
    assert [quota.use("a") for _ in range(4)] == [0, 0, 0, 60]
    assert [quota.use("b") for _ in range(3)] == [0, 0, 21]


def test_of_several_limits_each_holds_and_the_longest_wait_is_told() -> None:
    clock = Clock()
    quota = Quota("2/second, 3/minute", clock)
    assert [quota.use("a") for _ in range(3)] == [0, 0, 1]
    clock.now += 1
    assert [quota.use("a") for _ in range(2)] == [0, 59]


def test_what_is_refused_does_not_count() -> None:
    clock = Clock()
    quota = Quota("1/second, 3/hour", clock)
    for _ in range(10):
        assert quota.use("a") in (0, 1)
    clock.now += 1
    assert quota.use("a") == 0


@hypothesis_settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.sampled_from(["1/second", "3/2second", "2/second, 5/minute", "7/minute;9/hour"]),
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 40)), max_size=60),
)
def test_whoever_waits_as_long_as_told_is_let_in(limits: str, requests: list[tuple[str, float]]) -> None:
    clock = Clock()
    quota = Quota(limits, clock)
    let_in: dict[str, list[float]] = {"a": [], "b": []}
    for client, pause in requests:
        clock.now += pause
        seconds = quota.use(client)
        if seconds:
            clock.now += seconds
            assert quota.use(client) == 0
        let_in[client].append(clock.now)
    if limits == "1/second":
        for times in let_in.values():
            assert all(after - before >= 1 for before, after in pairwise(times))


def test_no_more_windows_are_remembered_than_may_be_and_the_newest_stay() -> None:
    clock = Clock()
    windows = Windows(clock, most=3)
    for key in "abc":
        windows.incr(key, 60)
    windows.incr("a", 60)
    assert [windows.get(key) for key in "abcd"] == [2, 1, 1, 0]
    windows.incr("d", 60)
    assert [windows.get(key) for key in "abcd"] == [0, 1, 1, 1]
    clock.now += 60
    windows.incr("b", 60)  # anew, and with it as the newest
    windows.incr("e", 60)
    windows.incr("f", 60)
    assert [windows.get(key) for key in "abcdef"] == [0, 1, 0, 0, 1, 1]
    windows.clear("b")
    assert windows.get("b") == 0
    assert windows.get_expiry("b") == clock.now
    assert windows.reset() == 2
    assert windows.get("f") == 0


def _statuses(app: RateLimit | ApiKeys, *clients: tuple[str, str | None]) -> list[int]:
    """The statuses of one request from each of `clients`, an address and a key."""
    statuses: list[int] = []

    async def receive() -> Message:
        pytest.fail("nothing is to be received")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    class App:
        class state:  # noqa: N801
            class metrics:  # noqa: N801
                rejected = staticmethod(lambda _: None)

    for address, key in clients:
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/models",
            "query_string": b"",
            "headers": [] if key is None else [(b"x-api-key", key.encode())],
            "client": (address, 1) if address else None,
            "app": App,
        }
        asyncio.run(app(scope, receive, send))
    return statuses


async def _ok(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "nonsense", True),
    ],
)
def test_a_client_without_a_key_is_its_address(first: str, second: str, same: bool) -> None:
    assert _statuses(RateLimit(_ok, "1/hour"), (first, None), (second, None)) == [200, 429 if same else 200]


def test_a_key_that_nobody_asked_for_makes_no_client() -> None:
    assert _statuses(RateLimit(_ok, "1/hour"), ("10.0.0.1", KEY), ("10.0.0.1", OTHER)) == [200, 429]


def test_a_client_with_a_key_is_its_key_which_is_not_remembered() -> None:
    limited = RateLimit(_ok, "1/hour")
    app = ApiKeys(limited, [KEY, OTHER])
    assert _statuses(app, ("10.0.0.1", KEY), ("10.0.0.1", OTHER), ("10.0.0.2", KEY)) == [200, 200, 429]
    assert _statuses(app, ("10.0.0.1", None), ("10.0.0.1", "x" * 16)) == [401, 401]
    storage = limited._quota._limiter.storage
    assert isinstance(storage, Windows)
    assert len(storage._windows) == 2
    assert KEY not in str(storage._windows)


@pytest.mark.parametrize("limits", ["100", "0/minute", "-1/minute", "5/fortnight", "10/second,", "many/day"])
def test_what_is_no_limit_stops_the_start(monkeypatch: pytest.MonkeyPatch, limits: str) -> None:
    monkeypatch.setenv("RESNET_SERVE_RATE_LIMIT", limits)
    with pytest.raises(
        SettingsError, match=r"^RESNET_SERVE_RATE_LIMIT: must be limits such as 100/minute"
    ) as caught:
        load_settings()
    assert repr(limits) in str(caught.value)


@pytest.mark.parametrize("proxies", ["proxy.example.org", "10.0.0.1/8", "10.0.0.1:80", "*"])
def test_what_is_no_address_of_a_proxy_stops_the_start(monkeypatch: pytest.MonkeyPatch, proxies: str) -> None:
    monkeypatch.setenv("RESNET_SERVE_TRUSTED_PROXIES", f"10.0.0.5, 192.168.0.0/16, {proxies}")
    with pytest.raises(
        SettingsError, match=r"^RESNET_SERVE_TRUSTED_PROXIES: must be addresses such as 10.0.0.5 or"
    ):
        load_settings()
