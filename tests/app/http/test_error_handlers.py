"""Every exception has one answer; what routes raise is tested over HTTP in tests/api/test_errors.py."""

import json

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from app.batching.thread_pools import OverloadedError
from app.errors import ApiError
from app.http.error_handlers import MAX_MESSAGE, documented, render, to_api_error
from models.preprocessing.image_error import ImageError

REQUEST = Request({"type": "http", "method": "GET", "path": "/x", "headers": [], "query_string": b""})


@pytest.mark.parametrize(
    ("error", "status", "code", "field"),
    [
        (ApiError(418, "teapot", "short and stout", "spout"), 418, "teapot", "spout"),
        (ImageError("empty_file", "x"), 400, "empty_file", "file"),
        (ImageError("damaged_image", "x"), 400, "damaged_image", "file"),
        (ImageError("image_too_large", "x"), 413, "image_too_large", "file"),
        (ImageError("unsupported_image", "x"), 415, "unsupported_image", "file"),
        (OverloadedError("x"), 429, "overloaded", None),
        (ClientDisconnect(), 499, "client_left", None),
        (HTTPException(404), 404, "not_found", None),
        (HTTPException(405), 405, "method_not_allowed", None),
        (HTTPException(400), 400, "bad_request", None),
        (HTTPException(418), 418, "http_error", None),
        (ZeroDivisionError("secret"), 500, "internal_error", None),
    ],
)
def test_exception_to_status_code_and_field(
    error: Exception, status: int, code: str, field: str | None
) -> None:
    answer = to_api_error(error, REQUEST)
    assert (answer.status, answer.code, answer.field) == (status, code, field)
    assert "secret" not in answer.message


def test_response_has_the_one_shape() -> None:
    response = render(ApiError(422, "some_code", "a sentence", "a_field", {"X-Extra": "1"}))
    assert json.loads(bytes(response.body)) == {
        "error": {"code": "some_code", "message": "a sentence", "field": "a_field"}
    }
    assert (response.status_code, response.headers["x-extra"]) == (422, "1")


@pytest.mark.parametrize("path", ["/predict", "/v2/models/x/infer"])
def test_what_a_request_has_sent_is_not_repeated_without_end(path: str) -> None:
    sent = "\x7f" * 1_000_000
    response = render(ApiError(422, "unknown_field", f"there is no field {sent!r}", sent), path)
    error = json.loads(bytes(response.body))["error"]
    message = error if path.startswith("/v2") else error["message"]
    assert message.startswith("there is no field '\\x7f")
    assert message.endswith("...")
    assert len(response.body) < 4 * MAX_MESSAGE


def test_documented_examples_carry_their_own_status() -> None:
    for status, entry in documented(400, 404, 408, 413, 415, 422, 429, 501, 503).items():
        assert entry["content"]["application/json"]["example"]["error"]["code"] in entry["description"], (
            status
        )
