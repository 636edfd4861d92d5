"""What the store does by itself goes on, whatever goes wrong once."""

import asyncio
from pathlib import Path

import pytest

from app.feedback import store as store_module
from app.feedback.store import FeedbackStore
from app.settings import Settings
from models.feedback.database import RECENT_SECONDS, FeedbackDatabase
from models.feedback.records import Prediction


def test_an_error_that_nobody_expected_does_not_end_pruning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store_module, "PRUNE_SECONDS", 0)
    monkeypatch.setattr(store_module, "SHARE_SECONDS", 0.001)
    database = FeedbackDatabase(f"sqlite:///{tmp_path / 'feedback.db'}")

    async def run() -> None:
        pruned = asyncio.Event()
        loop = asyncio.get_running_loop()
        failures = [RuntimeError("can't start new thread")] * 2

        def prune(_: float) -> int:
            if failures:
                raise failures.pop()
            loop.call_soon_threadsafe(pruned.set)
            return 0

        monkeypatch.setattr(database, "prune", prune)
        store = FeedbackStore(database, Settings())
        store.start()
        async with asyncio.timeout(30):
            await pruned.wait()
        await store.close()

    asyncio.run(run())
    told = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.getMessage() for record in told] == [
        "the feedback database cannot be used: can't start new thread"
    ]
    assert told[0].exc_info is not None


def test_predictions_are_forgotten_in_time_without_any_traffic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PRUNE_SECONDS", 0)
    monkeypatch.setattr(store_module, "SHARE_SECONDS", 0.001)
    database = FeedbackDatabase(f"sqlite:///{tmp_path / 'feedback.db'}")
    database.prepare()
    database.remember(10.0, [("request", [Prediction("cat", 0.75, "lenet", "1")])])
    times = [10.0]

    def is_kept() -> bool:
        return database.recall(10.0, "request", 0) is not None

    async def run() -> None:
        pruned = asyncio.Queue[float]()
        loop = asyncio.get_running_loop()

        def prune(before: float) -> int:
            loop.call_soon_threadsafe(pruned.put_nowait, before)
            return 0

        monkeypatch.setattr(database, "prune", prune)
        store = FeedbackStore(database, Settings(), lambda: times[0])
        store.start()
        async with asyncio.timeout(30):
            before = await pruned.get()
            assert is_kept()
            times[0] += RECENT_SECONDS + 1
            while await pruned.get() == before:
                pass
        assert not is_kept()
        assert await store.recall("request", 0) is None
        await store.close()

    asyncio.run(run())
