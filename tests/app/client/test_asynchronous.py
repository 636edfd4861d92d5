"""An attempt ends in time, however soon each part of its answer follows the one before."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from app.client import AsyncClient
from app.errors import ServiceError

TIMEOUT = 0.1


class _Drop(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(TIMEOUT / 5)
        yield b"[]"


async def _slowly(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "application/json"}, stream=_Drop())


def test_the_timeout_is_for_the_whole_attempt() -> None:
    async def scenario() -> None:
        transport = httpx.MockTransport(_slowly)
        async with AsyncClient("http://test", timeout=TIMEOUT, retries=1, transport=transport) as client:
            with pytest.raises(ServiceError, match=r"no whole answer within 0\.1 s") as caught:
                await client.models()
            assert (caught.value.status, caught.value.code) == (None, "unreachable")
            assert not await client.is_ready()

    asyncio.run(scenario())
