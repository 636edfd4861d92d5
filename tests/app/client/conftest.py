"""Calls of either client, without a service and without waiting."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.client import AsyncClient, Client
from tests.support.scripted_service import Service


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Run one call of either client against a service."""

    def sync(service: Service, call: Callable[[Any], Any], **options: Any) -> Any:  # noqa: ANN401
        with Client("http://test", transport=service, **options) as client:
            return call(client)

    def asynchronous(service: Service, call: Callable[[Any], Any], **options: Any) -> Any:  # noqa: ANN401
        async def run() -> Any:  # noqa: ANN401
            async with AsyncClient("http://test", transport=service, **options) as client:
                return await call(client)

        return asyncio.run(run())

    return sync if request.param == "sync" else asynchronous


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, without the waiting."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr("app.client.synchronous.time.sleep", found.append)
    monkeypatch.setattr("app.client.asynchronous.asyncio.sleep", sleep)
    return found
