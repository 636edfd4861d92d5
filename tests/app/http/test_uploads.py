"""Reading the files of a request; what is wrong with them is tested over HTTP in tests/api/test_errors.py."""

import asyncio
import tempfile

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.http.uploads import read_uploads


async def _list(request: Request) -> JSONResponse:
    uploads = read_uploads(request, await request.body(), max_files=10)
    return JSONResponse([[upload.filename, len(upload.content)] for upload in uploads])


def _post(**options: object) -> list[list[object]]:
    transport = httpx.ASGITransport(Starlette(routes=[Route("/", _list, methods=["POST"])]))

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/", **options)  # type: ignore[arg-type]

    answer: list[list[object]] = asyncio.run(send()).json()
    return answer


def test_files_come_in_the_order_of_the_form() -> None:
    files = [("file", (name, b"x" * size)) for name, size in (("b", 2), ("a", 1), ("b", 3))]
    assert _post(files=files) == [["b", 2], ["a", 1], ["b", 3]]


def test_raw_image_has_no_name() -> None:
    assert _post(content=b"12345", headers={"Content-Type": "IMAGE/PNG; charset=x"}) == [[None, 5]]


def test_a_large_file_is_not_written_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service works where the whole file system is read-only."""
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", lambda _: pytest.fail("written to disk"))
    assert _post(files=[("file", ("large", b"x" * 5_000_000))]) == [["large", 5_000_000]]
