"""Corrections: what is sent and answered, and that none is kept twice."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.client import CorrectedPrediction, CorrectResponse, ServiceError
from app.client.sending import REQUEST_ID
from app.http.middleware.telemetry import SAFE_ID
from tests.support.scripted_service import Service, answered

KNOWN = "0123456789abcdef0123456789abcdef"
PREDICTION = {"model": {"name": "m", "version": "1"}, "label": "cat", "probability": 0.75}
KEPT: dict[str, Any] = {"id": KNOWN, "prediction": PREDICTION, "image_bytes": 7, "days": 90}
DELETED = httpx.codes.NO_CONTENT


def error(status: int, code: str, **headers: str) -> httpx.Response:
    return answered({"error": {"code": code, "message": "in words", "field": None}}, status, **headers)


def test_a_correction_is_sent_with_its_image_and_typed(ask: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "cat.png"
    file.write_bytes(b"content")
    for image in (str(file), file, b"content"):
        service = Service(answered(KEPT, 201))
        kept = ask(
            service,
            lambda client, image=image: client.correct("my-id", "dog", item=2, image=image),
            api_key="secret",
        )
        (request,) = service.requests
        assert (request.method, str(request.url)) == ("POST", "http://test/feedback")
        assert request.headers["authorization"] == "Bearer secret"
        assert request.headers["content-type"] == "application/json"
        assert json.loads(request.content) == {
            "request_id": "my-id",
            "label": "dog",
            "item": 2,
            "image": base64.b64encode(b"content").decode(),
        }
        assert kept == CorrectResponse(KNOWN, CorrectedPrediction("m", "1", "cat", 0.75), 7, 90)


def test_one_without_an_image_and_of_a_prediction_that_is_forgotten(ask: Callable[..., Any]) -> None:
    service = Service(answered({**KEPT, "prediction": None, "image_bytes": 0}, 201))
    assert ask(service, lambda client: client.correct("my-id", "dog")) == CorrectResponse(KNOWN, None, 0, 90)
    assert json.loads(service.requests[0].content) == {"request_id": "my-id", "label": "dog", "item": 0}


def test_a_correction_is_deleted_by_its_id(ask: Callable[..., Any]) -> None:
    service = Service(httpx.Response(DELETED), error(404, "unknown_feedback"))
    assert ask(service, lambda client: client.delete_correction(KNOWN)) is None
    assert (service.requests[0].method, service.requests[0].url.path) == ("DELETE", f"/feedback/{KNOWN}")
    with pytest.raises(ServiceError, match="in words") as caught:
        ask(service, lambda client: client.delete_correction(KNOWN))
    assert (caught.value.status, caught.value.code) == (404, "unknown_feedback")


@pytest.mark.parametrize("wrong", ["", "..", "../models", f"{KNOWN}/x", f"{KNOWN}?x"])
def test_what_is_no_id_reaches_no_other_path(ask: Callable[..., Any], wrong: str) -> None:
    with pytest.raises(ValueError, match=r"^correction_id: must be the id that `correct` returned, got "):
        ask(Service(), lambda client: client.delete_correction(wrong))


def test_what_is_no_image_is_refused_by_name(ask: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=r"^image: must be the path of an image file, .* got list$"):
        ask(Service(), lambda client: client.correct("my-id", "dog", image=["a.png"]))


CALLS: dict[str, tuple[Callable[[Any], Any], Callable[[], httpx.Response]]] = {
    "correct": (lambda client: client.correct("my-id", "dog"), lambda: answered(KEPT, 201)),
    "delete": (lambda client: client.delete_correction(KNOWN), lambda: httpx.Response(DELETED)),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_was_not_sent_or_refused_at_once_is_sent_again(
    ask: Callable[..., Any], slept: list[float], name: str
) -> None:
    call, done = CALLS[name]
    for refused in (
        lambda: httpx.ConnectError("refused"),
        lambda: httpx.ConnectTimeout("nobody there"),
        lambda: httpx.PoolTimeout("all connections are in use"),
        lambda: error(429, "rate_limited", Retry_After="1"),
        lambda: error(503, "not_ready", Retry_After="1"),
        lambda: error(503, "too_many_connections", Retry_After="1"),
    ):
        service = Service(refused(), done())
        ask(service, call)
        assert len(service.requests) == 2
    assert slept[3:] == [1, 1, 1]


@pytest.mark.parametrize("name", CALLS)
def test_what_may_have_been_done_is_not_sent_again(
    ask: Callable[..., Any], slept: list[float], name: str
) -> None:
    call, _ = CALLS[name]
    for lost in (
        httpx.ReadTimeout("late"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("Server disconnected without sending a response."),
        error(503, "stopping", Retry_After="1"),
        error(503, "feedback_unavailable", Retry_After="5"),
        httpx.Response(503, headers={"Retry-After": "1"}, text="a proxy's own page"),
        error(504, "deadline_exceeded"),
    ):
        service = Service(lost)
        with pytest.raises(ServiceError):
            ask(service, call)
        assert len(service.requests) == 1
    assert slept == []


@pytest.mark.parametrize("name", CALLS)
def test_patience_ends_for_corrections_too(ask: Callable[..., Any], slept: list[float], name: str) -> None:
    service = Service(*(error(429, "overloaded") for _ in range(3)))
    with pytest.raises(ServiceError, match="in words"):
        ask(service, CALLS[name][0], retries=2)
    assert len(slept) == 2


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"prediction": {}}', b'{"prediction": 1}', b"<html>"])
def test_another_programs_answer_is_no_correction(ask: Callable[..., Any], name: str, content: bytes) -> None:
    with pytest.raises(ServiceError, match="status 200, and an answer that is not this service's"):
        ask(Service(httpx.Response(200, content=content)), CALLS[name][0])


def test_a_prediction_is_sent_with_an_id_of_ones_own(ask: Callable[..., Any]) -> None:
    answer = {"model": {"name": "m", "version": "1"}, "predictions": [], "timings_ms": {}}
    service = Service(answered(answer, X_Request_ID="mine"), answered(answer))
    assert ask(service, lambda client: client.predict(b"x", request_id="mine")).request_id == "mine"
    assert service.requests[0].headers["X-Request-ID"] == "mine"
    ask(service, lambda client: client.predict(b"x"))
    assert "X-Request-ID" not in service.requests[1].headers
    for wrong in ("", "a b", "a\nb", "schlüssel", "x" * 129):
        with pytest.raises(
            ValueError, match=r"^request_id: must be 1 to 128 ASCII letters, digits and .*, got "
        ):
            ask(Service(), lambda client, wrong=wrong: client.predict(b"x", request_id=wrong))


def test_the_ids_that_are_sent_are_those_that_the_service_takes_over() -> None:
    assert REQUEST_ID.pattern.encode() == SAFE_ID.pattern
