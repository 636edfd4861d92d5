"""GET /health/live and /health/ready, over the life of the service."""

import asyncio

import httpx

from app.main import create_app
from app.settings import Settings
from tests.support.service import Client, error_of


def test_running_service_is_live_and_ready(client: Client) -> None:
    assert (client.get("/health/live").status_code, client.get("/health/live").json()) == (
        200,
        {"status": "live"},
    )
    assert (client.get("/health/ready").status_code, client.get("/health/ready").json()) == (
        200,
        {"status": "ready"},
    )


def test_ready_only_while_the_model_is_loaded_but_live_throughout(settings: Settings) -> None:
    app = create_app(settings)

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.get("/health/live"), await client.get("/health/ready")

    async def life() -> list[tuple[httpx.Response, httpx.Response]]:
        before = await ask()
        async with app.router.lifespan_context(app):
            during = await ask()
        return [before, during, await ask()]

    answers = asyncio.run(life())
    assert [live.status_code for live, _ in answers] == [200, 200, 200]
    assert [ready.status_code for _, ready in answers] == [503, 200, 503]
    assert error_of(answers[0][1])["code"] == "not_ready"
