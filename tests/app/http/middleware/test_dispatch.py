"""What is cancelled because the service is stopped is answered, by any route and in its own shape."""

import asyncio
import json
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from starlette.types import Message, Receive, Scope, Send

from app.http.middleware.dispatch import Dispatch
from app.observability.metrics import ServiceMetrics

SLOW = ["/feedback", "/v2/repository/models/lenet/load", "/fast"]


async def _never(_: Request) -> Response:
    await asyncio.Event().wait()
    return Response()


async def _no_body() -> Message:
    return {"type": "http.request", "body": b""}


async def _cancelled(path: str, *, is_stopping: bool, answers: bool = False) -> list[Message]:
    """What is sent for a request that never ends, and is cancelled by the server."""
    app = FastAPI()
    app.state.is_stopping = is_stopping
    app.state.metrics = ServiceMetrics()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        if answers:
            await Response()(scope, receive, send)
        await asyncio.Event().wait()

    dispatch = Dispatch(hang, {("POST", "/fast"): _never})
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [],
    }
    task = asyncio.create_task(dispatch({**scope, "app": app}, _no_body, send))
    await asyncio.sleep(0.01)
    task.cancel()
    await task
    return sent


@pytest.mark.parametrize("path", SLOW)
def test_who_waits_while_the_service_is_stopped_is_told_so(path: str) -> None:
    start, body = asyncio.run(_cancelled(path, is_stopping=True))
    assert start["status"] == 503
    assert {(b"retry-after", b"1"), (b"connection", b"close")} <= set(start["headers"])
    error = json.loads(body["body"])["error"]
    if path.startswith("/v2"):
        assert error.startswith("the service is being stopped")
    else:
        assert (error["code"], error["field"]) == ("stopping", None)


def test_a_cancellation_for_another_reason_stays_one() -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_cancelled("/feedback", is_stopping=False))


def test_an_answer_that_has_begun_is_not_followed_by_another() -> None:
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(_cancelled("/feedback", is_stopping=True, answers=True))
