"""The API's document is made once, and while others are answered."""

import asyncio
import threading
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.http.openapi import complete_document
from app.settings import Settings


def test_the_document_is_made_once_and_not_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []

    def made(**options: Any) -> dict[str, Any]:  # noqa: ANN401 - FastAPI's own
        threads.append(threading.current_thread())
        return get_openapi(**options)

    monkeypatch.setattr("fastapi.applications.get_openapi", made)
    app = FastAPI(openapi_url=None)
    complete_document(app, Settings())

    async def ask(prefix: str) -> dict[str, Any]:
        transport = httpx.ASGITransport(app, root_path=prefix)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            found: dict[str, Any] = (await client.get(f"{prefix}/openapi.json")).json()
            return found

    async def ask_all() -> list[dict[str, Any]]:
        return await asyncio.gather(*map(ask, ["", "/one", "/two", ""]))

    servers = [document.get("servers") for document in asyncio.run(ask_all())]
    assert servers == [None, [{"url": "/one"}], [{"url": "/two"}], None]
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()
