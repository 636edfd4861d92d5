"""The error contract: for every kind of mistake its status, code and field, always in the one JSON shape."""

import asyncio
import io

import httpx
import pytest
from PIL import Image

from app.main import create_app
from app.settings import Settings
from tests.support.service import Client, chunks, error_of, png_of

PNG = png_of(Image.new("RGB", (32, 32), "red"))
RAW = {"Content-Type": "image/png"}


def _check(response: httpx.Response, status: int, code: str, field: str | None) -> str:
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (status, code, field)
    assert error["message"]
    return str(error["message"])


def test_unknown_path_is_404(client: Client) -> None:
    message = _check(client.get("/nowhere"), 404, "not_found", None)
    assert "GET /nowhere" in message


def test_missing_static_file_is_404(client: Client) -> None:
    _check(client.get("/static/nothing.png"), 404, "not_found", None)


def test_static_files_do_not_lead_out_of_their_folder(client: Client) -> None:
    _check(client.get("/static/%2e%2e/main.py"), 404, "not_found", None)


@pytest.mark.parametrize("asked", ["bytes=a-b", "bytes=5-1", "bytes=9999999-", "items=0-1", "bytes=0-9", ","])
@pytest.mark.parametrize("path", ["/", "/static/app.js"])
def test_a_file_is_sent_whole_whatever_part_is_asked_for(client: Client, path: str, asked: str) -> None:
    """RFC 9110, 14.2: a server may ignore Range, and must where it does not know the unit."""
    whole = client.get(path)
    response = client.get(path, headers={"Range": asked})
    assert (response.status_code, response.content) == (200, whole.content)


def test_wrong_method_is_405_and_says_which_are_right(client: Client) -> None:
    response = client.get("/predict")
    _check(response, 405, "method_not_allowed", None)
    assert response.headers["allow"] == "POST"


def test_empty_body_is_400(client: Client) -> None:
    _check(client.post("/predict", content=b"", headers=RAW), 400, "empty_file", "file")


def test_empty_file_is_400(client: Client) -> None:
    _check(client.post("/predict", files={"file": ("a.png", b"")}), 400, "empty_file", "file")


def test_damaged_image_is_400(client: Client) -> None:
    _check(client.post("/predict", files={"file": ("a.png", PNG[:60])}), 400, "damaged_image", "file")


def test_one_bad_file_of_many_is_named_with_its_place(client: Client) -> None:
    files = [("file", ("good.png", PNG)), ("file", ("bad.png", PNG[:60]))]
    message = _check(client.post("/predict", files=files), 400, "damaged_image", "file")
    assert message.startswith("file 2 (bad.png): ")


@pytest.mark.parametrize(
    "body",
    [b"", b"no boundary in here", b"--x\r\n\r\n", b'--x\r\nContent-Disposition: form-data; name="file"'],
    ids=["empty", "text", "no headers", "cut off"],
)
def test_malformed_form_is_an_error_of_the_client(client: Client, body: bytes) -> None:
    response = client.post(
        "/predict", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert response.status_code in (400, 422)
    assert error_of(response)["field"] == "file"


def test_form_without_boundary_is_400(client: Client) -> None:
    response = client.post("/predict", content=b"x", headers={"Content-Type": "multipart/form-data"})
    _check(response, 400, "malformed_form", "file")


@pytest.mark.parametrize("count", [41, 42, 60])
def test_too_many_files_is_413(client: Client, count: int) -> None:
    sent = client.post("/predict", files=[("file", ("a.png", PNG))] * count)
    message = _check(sent, 413, "too_many_images", "file")
    assert message == "the form has too many parts; this request may have 40 files and no other fields"


def test_stated_body_beyond_the_limit_is_413(client: Client) -> None:
    message = _check(
        client.post("/predict", content=b"x" * 1_000_001, headers=RAW), 413, "body_too_large", None
    )
    assert "1000000 bytes" in message


@pytest.mark.parametrize("content_type", ["image/png", "multipart/form-data; boundary=x"])
def test_streamed_body_beyond_the_limit_is_413(client: Client, content_type: str) -> None:
    start = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    body = chunks(start + b"x" * 1_100_000, 50_000)
    response = client.post("/predict", content=body, headers={"Content-Type": content_type})
    _check(response, 413, "body_too_large", None)


def test_image_of_too_many_pixels_is_413(client: Client) -> None:
    huge = png_of(Image.new("1", (10_000, 5_001)))
    message = _check(client.post("/predict", files={"file": ("a.png", huge)}), 413, "image_too_large", "file")
    assert "10000x5001" in message
    assert "25000000" in message


@pytest.mark.parametrize("content_type", ["application/xml", "text/plain", "video/mp4"])
def test_other_content_type_is_415(client: Client, content_type: str) -> None:
    response = client.post("/predict", content=PNG, headers={"Content-Type": content_type})
    assert content_type in _check(response, 415, "unsupported_media_type", "file")


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"", 400, "malformed_json", "image"),
        (b"{", 400, "malformed_json", "image"),
        (b"[]", 422, "missing_field", "image"),
        (b"{}", 422, "missing_field", "image"),
        (b'{"image": 1}', 422, "missing_field", "image"),
        (b'{"image": "AA==", "top_k": 1}', 422, "unknown_field", "top_k"),
        (b'{"image": "AA"}', 400, "malformed_base64", "image"),
        (b'{"image": "A=A="}', 400, "malformed_base64", "image"),
        ('{"image": "ä"}'.encode(), 400, "malformed_base64", "image"),
        (b'{"image": "data:image/png,xyz"}', 400, "malformed_base64", "image"),
        (b'{"image": "data:image/png;base64"}', 400, "malformed_base64", "image"),
        (b'{"image": "AAAA"}', 415, "unsupported_image", "image"),
        (b'{"image": ""}', 400, "empty_file", "image"),
        (b"{" + b",".join(b'"%d":0' % number for number in range(65)) + b"}", 400, "malformed_json", "image"),
    ],
)
def test_json_that_holds_no_image_says_what_is_wrong(
    client: Client, body: bytes, status: int, code: str, field: str
) -> None:
    response = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    _check(response, status, code, field)


def test_file_that_is_no_accepted_image_is_415(client: Client) -> None:
    tiff = io.BytesIO()
    Image.new("RGB", (8, 8)).save(tiff, "TIFF")
    message = _check(
        client.post("/predict", files={"file": ("a.png", tiff.getvalue())}), 415, "unsupported_image", "file"
    )
    assert "JPEG, PNG, WebP, GIF, BMP" in message


def test_form_without_file_is_422(client: Client) -> None:
    response = client.post(
        "/predict", content=b"--x--\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    _check(response, 422, "missing_field", "file")


def test_file_under_another_name_is_422_and_names_it(client: Client) -> None:
    _check(client.post("/predict", files={"image": ("a.png", PNG)}), 422, "unknown_field", "image")


def test_text_in_place_of_the_file_is_422(client: Client) -> None:
    _check(client.post("/predict", files={"file": (None, "a.png")}), 422, "not_a_file", "file")


def test_unexpected_exception_is_500_without_internals(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("secret path /etc/model")

    monkeypatch.setattr(client.app.state.context.model.engine, "predict", fail)
    response = client.post("/predict", content=PNG, headers=RAW)
    message = _check(response, 500, "internal_error", None)
    assert "secret" not in response.text
    assert "logged" in message


def test_after_an_unexpected_exception_the_service_goes_on(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(client.app.state.context.model.engine, "predict", lambda _: 1 / 0)
        assert client.post("/predict", content=PNG, headers=RAW).status_code == 500
    assert client.post("/predict", content=PNG, headers=RAW).status_code == 200


def test_before_the_model_is_loaded_it_is_503(settings: Settings) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_app(settings))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/predict", content=PNG, headers=RAW)

    response = asyncio.run(ask())
    _check(response, 503, "not_ready", None)
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/models"),
        ("GET", "/augmentations"),
        ("GET", "/v2"),
        ("GET", "/v2/models/lenet-test"),
        ("GET", "/v2/models/lenet-test/versions/1/ready"),
        ("POST", "/v2/models/lenet-test/infer"),
        ("POST", "/v2/repository/index"),
    ],
)
def test_a_query_where_there_is_none_is_422_naming_the_parameter(
    client: Client, method: str, path: str
) -> None:
    refused = client.request(method, f"{path}?verbose=1")
    assert refused.status_code == 422
    assert "verbose: there is no such parameter" in refused.text


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"])
def test_health_is_answered_whatever_is_added_to_its_address(client: Client, path: str) -> None:
    assert client.get(f"{path}?probe=1").status_code == 200
