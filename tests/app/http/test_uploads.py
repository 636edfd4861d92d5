"""The files of a request; what is wrong with them is tested over HTTP in tests/api/test_errors.py."""

import asyncio
import tempfile
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from starlette.requests import Request

from app.http.uploads import read_uploads
from app.inference.request_scope import RequestScope


def _read(**options: Any) -> list[tuple[str | None, int]]:  # noqa: ANN401 - httpx's own
    sent = httpx.Request("POST", "http://test", **options)
    headers = [(name.lower(), value) for name, value in sent.headers.raw]

    async def run(work: Any, _: str) -> Any:  # noqa: ANN401
        return await asyncio.to_thread(work)

    scope = cast("RequestScope", SimpleNamespace(body=sent.read(), run=run))
    uploads = asyncio.run(read_uploads(Request({"type": "http", "headers": headers}), scope, max_files=10))
    return [(upload.filename, len(upload.content)) for upload in uploads]


def test_files_come_in_the_order_of_the_form() -> None:
    files = [("file", (name, b"x" * size)) for name, size in (("b", 2), ("a", 1), ("b", 3))]
    assert _read(files=files) == [("b", 2), ("a", 1), ("b", 3)]


def test_raw_image_has_no_name() -> None:
    assert _read(content=b"12345", headers={"Content-Type": "IMAGE/PNG; charset=x"}) == [(None, 5)]


def test_an_image_in_json_has_no_name() -> None:
    assert _read(json={"image": "AAAA"}) == [(None, 3)]


def test_a_large_file_is_not_written_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service works where the whole file system is read-only."""
    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", lambda _: pytest.fail("written to disk"))
    assert _read(files=[("file", ("large", b"x" * 5_000_000))]) == [("large", 5_000_000)]
