"""What the store does by itself goes on, whatever goes wrong once; what requests ask of it is bounded."""

import asyncio
import threading
import weakref
from contextlib import suppress
from pathlib import Path

import pytest

from app.errors import ApiError
from app.feedback import store as store_module
from app.feedback.store import MAX_WAITING, FeedbackStore
from app.inference.request_scope import Deadline
from app.settings import Settings
from models.feedback.database import RECENT_SECONDS, FeedbackDatabase
from models.feedback.records import Correction, Prediction


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


def test_requests_whose_deadline_has_passed_keep_their_places_while_the_database_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = FeedbackDatabase(f"sqlite:///{tmp_path / 'feedback.db'}")
    hangs, goes_on = threading.Event(), threading.Event()
    deleted: list[str] = []

    def delete(known: str) -> bool:
        hangs.set()
        assert goes_on.wait(60)
        deleted.append(known)
        return True

    monkeypatch.setattr(database, "delete", delete)

    async def run() -> None:
        store = FeedbackStore(database, Settings())
        first = asyncio.create_task(store.delete("first"))
        await asyncio.to_thread(hangs.wait, 60)
        image = Correction("request", 0, "cat", b"image")
        is_held = weakref.ref(image)
        late = Deadline(asyncio.get_running_loop().time(), 0.0)
        statuses = []
        for number in range(2 * MAX_WAITING):
            work = store.add(image, None) if number == 0 else store.delete("late")
            with pytest.raises(ApiError) as caught:
                await late.wait(work, "the feedback database")
            statuses.append(caught.value.status)
            del work
        assert statuses == [504] * (MAX_WAITING - 1) + [429] * (MAX_WAITING + 1)
        del image, caught
        assert is_held() is None
        goes_on.set()
        assert await first
        is_deleted = False
        while not is_deleted:  # as long as it takes the thread to pass over those that are late
            with suppress(ApiError):
                is_deleted = await store.delete("last")
            await asyncio.sleep(0.001)
        await store.close()

    asyncio.run(run())
    assert deleted == ["first", "last"]
