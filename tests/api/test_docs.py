"""The API's documentation and the page are served, and the documentation tells what is true."""

import re
from typing import Any

import httpx
import pytest

from app.routes.samples import SAMPLES
from models.augmentations import AUGMENTATIONS
from tests.support.service import Client


def _operation(client: Client, method: str, path: str) -> dict[str, Any]:
    operation: dict[str, Any] = client.get("/openapi.json").json()["paths"][path][method]
    return operation


def test_docs_are_served_with_everything_they_refer_to(client: Client) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    references = set(re.findall(r'(?:src|href)="([^"]*)"', page.text))
    assert {"static/docs/swagger-ui-bundle.js", "static/docs/docs.js", "openapi.json"} <= references
    for reference in references:
        assert client.get(f"/{reference}").status_code == 200, reference
    assert "openapi.json" in client.get("/static/docs/docs.js").text


def test_page_is_served_with_everything_it_refers_to(client: Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    references = set(re.findall(r'(?:src|href)="((?:static/|docs|models)[^"]*)"', page.text))
    assert references
    for reference in references:
        assert client.get(f"/{reference}").status_code == 200, reference


def test_files_of_the_page_are_compressed_for_those_who_can(client: Client) -> None:
    """Nothing else is: the answers of the API are small, and on its busiest way."""
    name = "/static/shared/models.js"
    plain = client.get(name, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    packed = client.get(name, headers={"Accept-Encoding": "gzip"})
    assert (packed.headers["content-encoding"], packed.text) == ("gzip", plain.text)
    assert packed.headers["vary"] == "Accept-Encoding"
    again = client.get(name, headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "content-encoding" not in client.get("/models", headers={"Accept-Encoding": "gzip"}).headers


def test_every_sample_is_served(client: Client) -> None:
    for name in SAMPLES:
        response = client.get(f"/static/samples/{name}.png")
        assert (response.status_code, response.headers["content-type"]) == (200, "image/png")


@pytest.mark.parametrize("path", ["/predict", "/explain", "/augment-preview", "/models/{name}/batch-norm"])
def test_what_takes_images_documents_both_bodies(client: Client, path: str) -> None:
    operation = _operation(client, "post", path)
    images = {f"image/{kind}" for kind in ("jpeg", "png", "webp", "gif", "bmp", "avif", "heic")}
    others = {"multipart/form-data", "application/octet-stream", "application/json"}
    assert images | others == set(operation["requestBody"]["content"])


def test_predict_documents_an_example_of_the_answer(client: Client) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["PredictResponse"]["example"]["predictions"][0]["top"][0]["label"] == "cat"


def test_every_error_is_documented_in_its_one_shape(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    for path, operations in paths.items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                if int(status) < 400:
                    continue
                content = response["content"]["application/json"]
                if path.startswith("/v2"):
                    # The protocol's own shape; its health says in the body what the status says.
                    kind = "ServerReadyResponse" if path == "/v2/health/ready" else "V2Error"
                    assert content["schema"] == {"$ref": f"#/components/schemas/{kind}"}, (method, path)
                else:
                    assert content["schema"] == {"$ref": "#/components/schemas/ErrorResponse"}, (method, path)
                    assert {"code", "message"} <= set(content["example"]["error"])


def test_framework_error_schema_is_documented_nowhere(client: Client) -> None:
    assert "HTTPValidationError" not in client.get("/openapi.json").text


def test_every_parameter_of_every_operation_is_documented(client: Client) -> None:
    for method in ("get", "post"):
        listed = {
            entry["name"]: entry for entry in _operation(client, method, "/augment-preview")["parameters"]
        }
        for name, operation in AUGMENTATIONS.items():
            for parameter in operation.model_fields:
                assert listed[f"{name}.{parameter}"]["description"]
                assert "default" in listed[f"{name}.{parameter}"]["schema"]
        assert {"ops", "rows", "cols", "seed", "scale", "format"} <= set(listed)


def test_documented_defaults_are_accepted(client: Client) -> None:
    """Sent back as they are documented, the defaults give the same bytes as none at all."""
    listed = _operation(client, "get", "/augment-preview")["parameters"]
    query = {entry["name"]: entry["schema"]["default"] for entry in listed if "." in entry["name"]}
    ops = {"ops": ",".join(AUGMENTATIONS)}
    answer: httpx.Response = client.get("/augment-preview", params={**ops, **query})
    assert answer.status_code == 200, answer.text
