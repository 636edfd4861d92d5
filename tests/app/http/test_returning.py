"""A request is recognised when it is sent again, and its images are counted without a parser."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from app.http.multipart import SLICE_BYTES
from app.http.returning import END_BYTES, estimated_images, request_key


def sent(path: str = "/predict", **options: Any) -> tuple[Request, bytes]:  # noqa: ANN401
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


def images_of(request: Request, body: bytes, max_files: int) -> int:
    return asyncio.run(estimated_images(request, body, max_files))


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
@pytest.mark.parametrize("size", [1, SLICE_BYTES])
def test_images_are_counted(count: int, size: int) -> None:
    tensor = {"name": "image_bytes", "shape": [count], "datatype": "BYTES", "data": ["A" * 9000] * count}
    late = {name: tensor[name] for name in ("data", "name", "datatype", "shape")}
    for options in (
        form(*[b"x" * size] * count),
        {"json": {"inputs": [tensor]}},
        {"json": {"inputs": [late]}},
    ):
        assert images_of(*sent(**options), max_files=20) == count
        assert images_of(*sent(**options), max_files=2) == min(count, 2)


def test_what_tells_no_number_is_one_image() -> None:
    for content in (b"", b"\xff\xd8", json.dumps({"shape": "x"}).encode()):
        assert images_of(*sent(content=content), max_files=20) == 1


def test_others_run_while_the_images_of_a_long_body_are_counted() -> None:
    async def count() -> int:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        turning = asyncio.create_task(turn())
        await estimated_images(*sent(**form(b"x" * 10 * SLICE_BYTES)), max_files=20)
        turning.cancel()
        return turns

    assert asyncio.run(count()) >= 10
