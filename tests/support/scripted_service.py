"""In place of a service: gives a client what a test has written down."""

from typing import Any

import httpx


class Service(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Gives the outcomes one after the other, and keeps the requests."""

    def __init__(self, *outcomes: httpx.Response | httpx.TransportError) -> None:
        self.outcomes = list(outcomes)
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, httpx.TransportError):
            raise outcome
        return outcome

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return self.handle_request(request)


def answered(content: Any, status: int = 200, **headers: str) -> httpx.Response:  # noqa: ANN401
    return httpx.Response(status, json=content, headers={k.replace("_", "-"): v for k, v in headers.items()})
