import asyncio

import httpx
import pytest
from fastapi import FastAPI

from app.http.middleware.cross_origin import CrossOrigin

SITE = "https://example.org"


def _ask(path: str, origin: str, method: str = "POST", headers: str = "x-request-id") -> httpx.Response:
    """A browser's question before it sends the request of another site's page."""
    app = FastAPI()
    app.add_middleware(CrossOrigin, allow_origins=[SITE], allow_methods=["GET", "POST"])

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            asked = {
                "Origin": origin,
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": headers,
            }
            return await client.options(path, headers=asked)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("origin", "method", "headers", "message", "field"),
    [
        ("https://evil.example", "POST", "accept", "Disallowed CORS origin", "Origin"),
        ("https://evil.example", "PUT", "accept", "Disallowed CORS origin, method", "Origin"),
        (SITE, "PUT", "accept", "Disallowed CORS method", "Access-Control-Request-Method"),
        (SITE, "POST", "x-other", "Disallowed CORS headers", "Access-Control-Request-Headers"),
    ],
)
def test_a_refusal_has_the_shape_of_all_errors(
    origin: str, method: str, headers: str, message: str, field: str
) -> None:
    refused = _ask("/predict", origin, method, headers)
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/json"
    assert refused.json()["error"] == {"code": "cors_refused", "message": message, "field": field}
    assert "Origin" in refused.headers["vary"]
    assert ("access-control-allow-origin" in refused.headers) == (origin == SITE)
    assert _ask("/v2/models", origin, method, headers).json() == {"error": message}


def test_what_is_allowed_is_allowed() -> None:
    allowed = _ask("/predict", SITE, headers="accept")
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, SITE)
