"""A request is recognised when it is sent again, and its images are counted without a parser."""

import json
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from app.http.returning import END_BYTES, estimated_images, request_key


def sent(path: str = "/predict", **options: Any) -> tuple[Request, bytes]:  # noqa: ANN401 - httpx's own
    request = httpx.Request("POST", f"http://test{path}", **options)
    body = request.read()
    scope = {
        "type": "http",
        "method": "POST",
        "path": request.url.path,
        "query_string": request.url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
    }
    return Request(scope), body


def form(*contents: bytes) -> dict[str, Any]:
    return {"files": [("file", ("a.png", content)) for content in contents]}


@pytest.mark.parametrize("size", [10, 3 * END_BYTES])
def test_the_same_request_is_recognised_whatever_its_boundary(size: int) -> None:
    first, second = sent(**form(b"x" * size)), sent(**form(b"x" * size))
    assert first[1] != second[1]  # httpx draws a boundary for each
    assert request_key(*first) == request_key(*second)


def test_another_image_path_or_query_is_another_request() -> None:
    requests = [
        sent(content=b"a" * 9),
        sent(content=b"b" * 9),
        sent(content=b"a" * 10),
        sent("/explain", content=b"a" * 9),
        sent("/predict?top_k=1", content=b"a" * 9),
    ]
    assert len({request_key(*each) for each in requests}) == len(requests)


@pytest.mark.parametrize("count", [1, 3, 16])
def test_images_are_counted(count: int) -> None:
    tensor = {"name": "image_bytes", "shape": [count], "datatype": "BYTES", "data": ["A" * 9000] * count}
    late = {name: tensor[name] for name in ("data", "name", "datatype", "shape")}
    for options in (form(*[b"x"] * count), {"json": {"inputs": [tensor]}}, {"json": {"inputs": [late]}}):
        assert estimated_images(*sent(**options), max_files=20) == count
        assert estimated_images(*sent(**options), max_files=2) == min(count, 2)


def test_what_tells_no_number_is_one_image() -> None:
    for content in (b"", b"\xff\xd8", json.dumps({"shape": "x"}).encode()):
        assert estimated_images(*sent(content=content), max_files=20) == 1
