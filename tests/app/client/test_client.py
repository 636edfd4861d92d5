import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.batching.retry_after import LATEST_SECONDS
from app.client import AsyncClient, Client, ModelEntry, PredictResponse, ServiceError
from app.client.sending import LONGEST_WAIT
from tests.support.scripted_service import Service, answered

ANSWER: dict[str, Any] = {
    "model": {"name": "m", "version": "1"},
    "predictions": [
        {
            "filename": "a.png",
            "width": 3,
            "height": 4,
            "top": [{"label": "cat", "probability": 0.75}, {"label": "dog", "probability": 0.25}],
        }
    ],
    "timings_ms": {"total": 1.5},
}
OVERLOADED = {"error": {"code": "overloaded", "message": "too much", "field": None}}


def test_files_and_contents_are_sent_together(ask: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "cat.png"
    file.write_bytes(b"from a file")
    service = Service(answered(ANSWER, X_Request_ID="my-id"))
    answer: PredictResponse = ask(
        service,
        lambda client: client.predict(file, b"content", top_k=2, model="m", views=3),
        api_key="secret",
    )
    (request,) = service.requests
    assert (request.method, str(request.url)) == ("POST", "http://test/predict?top_k=2&model=m&views=3")
    assert request.headers["authorization"] == "Bearer secret"
    assert b'name="file"; filename="cat.png"' in request.content
    assert b"from a file" in request.content
    assert b"content" in request.content
    assert answer.request_id == "my-id"
    assert (answer.model, answer.version, answer.timings_ms) == ("m", "1", {"total": 1.5})
    assert json.loads(json.dumps(asdict(answer.predictions[0]))) == {
        **ANSWER["predictions"][0],
        "familiar": None,
        "unfamiliarity": None,
    }


def test_a_text_is_the_path_of_a_file(ask: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "cat.png"
    file.write_bytes(b"from a file")
    service = Service(answered(ANSWER))
    ask(service, lambda client: client.predict(str(file)))
    assert b'filename="cat.png"' in service.requests[0].content
    assert b"from a file" in service.requests[0].content
    with pytest.raises(FileNotFoundError, match=r"no-such\.jpg"):
        ask(service, lambda client: client.predict("no-such.jpg"))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_files_content_may_be_of_any_type_of_bytes(
    ask: Callable[..., Any], kind: Callable[..., Any]
) -> None:
    service = Service(answered(ANSWER))
    ask(service, lambda client: client.predict(kind(b"content")))
    assert b"\r\n\r\ncontent\r\n" in service.requests[0].content


@pytest.mark.parametrize("image", [["a.png", "b.png"], None, 7, io.BytesIO(b"content")])
def test_anything_else_is_refused_by_name_before_it_is_sent(ask: Callable[..., Any], image: object) -> None:
    told = f"^images: must be the path of an image file, as str or Path, .* got {type(image).__name__}$"
    service = Service()
    with pytest.raises(TypeError, match=told):
        ask(service, lambda client: client.predict("no-such.jpg", image))
    assert service.requests == []


def test_models_are_listed(ask: Callable[..., Any]) -> None:
    entry = {
        "name": "m",
        "version": "1",
        "current": True,
        "architecture": "lenet",
        "classes": ["a", "b"],
        "accuracy": 0.9,
    }
    service = Service(answered({"models": [entry]}))
    assert ask(service, lambda client: client.models()) == (
        ModelEntry("m", "1", current=True, architecture="lenet", classes=("a", "b"), accuracy=0.9),
    )


@pytest.mark.parametrize(("status", "ready"), [(200, True), (503, False), (None, False)])
def test_readiness_is_asked_once(ask: Callable[..., Any], status: int | None, ready: bool) -> None:
    outcome = httpx.ConnectError("refused") if status is None else answered({}, status)
    assert ask(Service(outcome), lambda client: client.is_ready()) is ready


def test_the_services_own_time_to_wait_is_obeyed(ask: Callable[..., Any], slept: list[float]) -> None:
    service = Service(
        answered(OVERLOADED, 429, Retry_After="7"),
        answered(OVERLOADED, 503, Retry_After="2"),
        answered(ANSWER),
    )
    assert ask(service, lambda client: client.predict(b"x")).model == "m"
    assert slept == [7, 2]
    assert all(b"x" in request.content for request in service.requests)


@pytest.mark.parametrize(
    ("options", "longest"), [({}, 300), ({"longest_wait": 7.5}, 7), ({"longest_wait": 0}, 0)]
)
def test_a_longer_wait_than_the_longest_is_left_to_the_caller(
    ask: Callable[..., Any], slept: list[float], options: dict[str, float], longest: int
) -> None:
    service = Service(
        answered(OVERLOADED, 429, Retry_After=str(longest)),
        answered(OVERLOADED, 429, Retry_After=str(longest + 1)),
    )
    with pytest.raises(ServiceError, match="too much"):
        ask(service, lambda client: client.predict(b"x"), **options)
    assert slept == [longest]


def test_as_long_as_the_service_sends_anybody_away_for_load_is_waited_for() -> None:
    assert LONGEST_WAIT >= LATEST_SECONDS


def test_without_one_the_waits_grow(ask: Callable[..., Any], slept: list[float]) -> None:
    service = Service(
        httpx.ConnectError("refused"), httpx.ReadTimeout("late"), answered(OVERLOADED, 503), answered(ANSWER)
    )
    assert ask(service, lambda client: client.predict(b"x")).model == "m"
    for seconds, full in zip(slept, (0.2, 0.4, 0.8), strict=True):
        assert full / 2 <= seconds <= full


@pytest.mark.parametrize("retries", [0, 2])
def test_patience_ends(ask: Callable[..., Any], slept: list[float], retries: int) -> None:
    service = Service(*(answered(OVERLOADED, 429) for _ in range(retries + 1)))
    with pytest.raises(ServiceError, match="too much") as caught:
        ask(service, lambda client: client.predict(b"x"), retries=retries)
    assert (caught.value.status, caught.value.code) == (429, "overloaded")
    assert len(slept) == retries


def test_what_is_wrong_is_not_sent_again(ask: Callable[..., Any], slept: list[float]) -> None:
    error = {"code": "damaged_image", "message": "the PNG image is damaged or cut off", "field": "file"}
    with pytest.raises(ServiceError, match="the PNG image is damaged") as caught:
        ask(Service(answered({"error": error}, 400)), lambda client: client.predict(b"x"))
    assert (caught.value.status, caught.value.code, caught.value.field) == (400, "damaged_image", "file")
    assert slept == []


def test_a_service_that_is_not_there_is_said_so(ask: Callable[..., Any]) -> None:
    with pytest.raises(ServiceError, match="the service cannot be reached: refused") as caught:
        ask(Service(httpx.ConnectError("refused")), lambda client: client.models(), retries=0)
    assert (caught.value.status, caught.value.code) == (None, "unreachable")


@pytest.mark.parametrize("content", [b"<html>", b'{"error": "x"}', b"[]"])
def test_another_programs_answer_is_told_apart(ask: Callable[..., Any], content: bytes) -> None:
    with pytest.raises(ServiceError, match="status 404, and an answer that is not this service's"):
        ask(Service(httpx.Response(404, content=content)), lambda client: client.models())


def test_bad_arguments_are_refused_by_name(ask: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="images: there must be at least one"):
        ask(Service(), lambda client: client.predict())
    with pytest.raises(ValueError, match="retries must be at least 0, got -1"):
        ask(Service(), lambda client: client.models(), retries=-1)
    with pytest.raises(ValueError, match="longest_wait must be at least 0 seconds, got nan"):
        ask(Service(), lambda client: client.models(), longest_wait=float("nan"))
    for timeout in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=f"timeout must be more than 0 seconds.*, got {timeout}"):
            ask(Service(), lambda client: client.models(), timeout=timeout)


@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b'{"models": [{}], "predictions": [{}]}', b'{"models": 1}']
)
def test_a_good_answer_of_another_program_is_told_apart_too(ask: Callable[..., Any], content: bytes) -> None:
    calls: list[Callable[[Any], Any]] = [lambda client: client.models(), lambda client: client.predict(b"x")]
    for call in calls:
        with pytest.raises(ServiceError, match="status 200, and an answer that is not this service's"):
            ask(Service(httpx.Response(200, content=content)), call)


def test_a_name_that_is_not_utf_8_is_sent_with_a_replacement(ask: Callable[..., Any], tmp_path: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    file.write_bytes(b"content")
    service = Service(answered(ANSWER))
    ask(service, lambda client: client.predict(file))
    assert 'filename="caf\ufffd.png"'.encode() in service.requests[0].content


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("proxy", "message"),
    [
        ("socks5://127.0.0.1:1080", r"a SOCKS proxy: pip install 'httpx\[socks\]', or unset"),
        ("ftp://127.0.0.1", "a proxy that cannot be used: .*ftp"),
        ("http://[::1", "a proxy that cannot be used: "),
    ],
)
def test_a_proxy_that_cannot_be_used_is_said_so(
    monkeypatch: pytest.MonkeyPatch, client: type[Client] | type[AsyncClient], proxy: str, message: str
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ServiceError, match=f"^the environment names {message}") as caught:
        client("http://127.0.0.1:8000")
    assert (caught.value.status, caught.value.code) == (None, "invalid_client")


@pytest.mark.parametrize(
    ("url", "key", "field"),
    [
        ("http://[::1", None, "url"),
        ("localhost:8000", None, "url"),
        ("http://", None, "url"),
        ("", None, "url"),
        ("ftp://test", None, "url"),
        ("http://a..b", None, "url"),
        ("http://test", "schlüssel", "api_key"),
        ("http://test", "a\nb", "api_key"),
        ("http://test", "", "api_key"),
        ("http://test", " a", "api_key"),
        ("http://test", "a ", "api_key"),
    ],
)
def test_an_address_or_key_that_cannot_be_sent_is_refused_by_name(
    url: str, key: str | None, field: str
) -> None:
    for client in (Client, AsyncClient):
        with pytest.raises(ServiceError) as caught:
            client(url, api_key=key)
        assert caught.value.field == field


def test_whether_an_image_is_familiar_is_passed_on(ask: Callable[..., Any]) -> None:
    known = {**ANSWER["predictions"][0], "familiar": False, "unfamiliarity": 0.97}
    service = Service(answered({**ANSWER, "predictions": [known]}), answered(ANSWER))
    (told,) = ask(service, lambda client: client.predict(b"content")).predictions
    assert (told.familiar, told.unfamiliarity) == (False, 0.97)
    # A service without a detector says null, and one of an earlier version nothing.
    (untold,) = ask(service, lambda client: client.predict(b"content")).predictions
    assert (untold.familiar, untold.unfamiliarity) == (None, None)
