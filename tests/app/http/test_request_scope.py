"""A client that leaves ends the work that is done for it alone."""

import asyncio

import pytest
from fastapi import Request
from starlette.types import Message

from app.errors import ApiError
from app.http import request_scope
from app.http.request_scope import cancelled_on_disconnect


@pytest.fixture(autouse=True)
def _watch_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_scope, "WATCH_AFTER_SECONDS", 0)


def _request(leaves: asyncio.Event) -> Request:
    async def receive() -> Message:
        await leaves.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http"}, receive)


async def _work(request: Request, done: asyncio.Event, cancelled: list[str]) -> str:
    with cancelled_on_disconnect(request):
        try:
            await done.wait()
        except asyncio.CancelledError:
            cancelled.append("cancelled")
            raise
        return "answer"


def test_work_is_cancelled_once_the_client_has_left() -> None:
    async def scenario() -> None:
        leaves, cancelled = asyncio.Event(), list[str]()
        task = asyncio.create_task(_work(_request(leaves), asyncio.Event(), cancelled))
        await asyncio.sleep(0.01)
        assert not task.done()
        leaves.set()
        with pytest.raises(ApiError, match="closed the connection") as raised:
            await task
        assert raised.value.status == 499
        assert cancelled == ["cancelled"]

    asyncio.run(scenario())


def test_an_answer_in_time_ends_the_watch() -> None:
    async def scenario() -> None:
        leaves, done = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(_work(_request(leaves), done, []))
        await asyncio.sleep(0.01)
        done.set()
        assert await task == "answer"
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


def test_cancellation_by_someone_else_stays_a_cancellation() -> None:
    async def scenario() -> None:
        task = asyncio.create_task(_work(_request(asyncio.Event()), asyncio.Event(), []))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_cancelled_by_both_it_stays_a_cancellation() -> None:
    async def scenario() -> None:
        leaves = asyncio.Event()
        task = asyncio.create_task(_work(_request(leaves), asyncio.Event(), []))
        await asyncio.sleep(0.01)
        leaves.set()
        await asyncio.sleep(0)  # the watching task sees it, and asks for the cancellation
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


def test_an_error_of_the_work_is_its_own() -> None:
    async def scenario() -> None:
        with pytest.raises(KeyError), cancelled_on_disconnect(_request(asyncio.Event())):
            raise KeyError("broken")

    asyncio.run(scenario())
