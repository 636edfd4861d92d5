"""The bodies of requests that manage models."""

import asyncio
import gzip

import pytest
from fastapi import FastAPI, Request
from starlette.types import Message

from app.errors import ApiError, ProtocolError
from app.http.request_scope import BodyLimits
from app.v2.repository import MAX_BODY_BYTES, IndexRequest, _from_body


def _read(body: bytes, encoding: str | None = None) -> IndexRequest:
    app = FastAPI()
    app.state.body_limits = BodyLimits(10**7, 60, 10**7)

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    async def read() -> IndexRequest:
        headers = [] if encoding is None else [(b"content-encoding", encoding.encode())]
        request = Request({"type": "http", "app": app, "headers": headers}, receive)
        return await _from_body(IndexRequest)(request)

    return asyncio.run(read())


def test_a_body_may_be_compressed() -> None:
    assert _read(gzip.compress(b'{"ready": true}'), "gzip").ready
    assert _read(b'{"ready": true}', "identity").ready
    assert not _read(gzip.compress(b""), "gzip").ready


def test_what_cannot_be_decompressed_is_refused() -> None:
    for body, encoding, status in (
        (b"{}", "gzip", 400),
        (b"{}", "br", 415),
        (gzip.compress(b" " * (MAX_BODY_BYTES + 1)), "gzip", 413),
    ):
        with pytest.raises(ApiError) as refused:
            _read(body, encoding)
        assert refused.value.status == status


def test_what_is_no_json_is_malformed() -> None:
    with pytest.raises(ProtocolError, match=r"^Invalid JSON: "):
        _read(b"{")
