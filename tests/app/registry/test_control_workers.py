"""Models are loaded and unloaded by all processes or by none."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from app.registry import other_workers
from app.registry.other_workers import FollowError
from app.registry.plan import Plan
from app.registry.plan_folder import BusyError, Membership, PlanFolder
from tests.support.controlled_models import LIMIT, Loader, found, started
from tests.support.virtual_clock import on_virtual_clock


@pytest.fixture
def workers(tmp_path: Path) -> Callable[[int], Membership]:
    folder = PlanFolder(tmp_path / "plans")
    folder.path.mkdir()
    return lambda number: Membership(folder, number)


@on_virtual_clock
async def test_every_worker_serves_what_one_was_asked_to_load(workers: Callable[[int], Membership]) -> None:
    mine, others = Loader(), Loader()
    async with started(mine, workers(0)) as control, started(others, workers(1)) as other:
        await control.load("cats", "2", LIMIT)
        assert (found(control), found(other)) == ("cats/2", "cats/2")
        assert control.plan == other.plan
        await other.unload("cats", "1")
        assert control.versions("cats") == other.versions("cats") == ["2"]
        await other.load("cats", "2", LIMIT)
        assert [entry.version for entry in mine.loaded] == ["1", "1", "2", "2"]
        assert mine.loaded == others.loaded


@on_virtual_clock
async def test_what_another_worker_cannot_load_is_served_by_none(
    workers: Callable[[int], Membership],
) -> None:
    mine, others = Loader(), Loader()
    others.broken = {"2"}
    async with started(mine, workers(0)) as control, started(others, workers(1)) as other:
        with pytest.raises(FollowError, match="worker 1 cannot do the same: ValueError: version 2 is broken"):
            await control.load("cats", "2", LIMIT)
        assert (found(control), found(other)) == ("cats/1", "cats/1")
        assert [entry.version for entry in mine.retired] == ["2"]
        await control.load("cats", "3", LIMIT)
        assert (found(control), found(other)) == ("cats/3", "cats/3")


@on_virtual_clock
async def test_a_worker_that_does_not_follow_is_waited_for_only_so_long(
    workers: Callable[[int], Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_workers, "FOLLOW_SECONDS", 1)
    stuck = Loader()
    async with started(Loader(), workers(0)) as control, started(stuck, workers(1)) as other:
        stuck.may_load.clear()
        with pytest.raises(FollowError, match="worker 1 has not followed"):
            await control.load("cats", "2", LIMIT)
        assert (found(control), found(other)) == ("cats/1", "cats/1")
        stuck.may_load.set()


@on_virtual_clock
async def test_what_is_broken_here_leaves_no_trace_for_the_others(
    workers: Callable[[int], Membership],
) -> None:
    mine, others = Loader(), Loader()
    mine.broken = {"2"}
    async with started(mine, workers(0)) as control, started(others, workers(1)) as other:
        for change in (other.unload("dogs", None), other.load("cats", "3", LIMIT)):
            with pytest.raises(ValueError, match="version 2 is broken"):
                await control.load("cats", "2", LIMIT)
            await change
            assert control.plan == other.plan
        assert (found(control), found(other)) == ("cats/3", "cats/3")


@on_virtual_clock
async def test_what_another_worker_ends_of_is_served_by_none(workers: Callable[[int], Membership]) -> None:
    async with started(Loader(), workers(0)) as control:
        async with started(Loader(), workers(1)):
            pass
        loading = asyncio.create_task(control.load("cats", "2", LIMIT))
        await asyncio.sleep(1)
        assert not loading.done()
        workers(1).folder.leave(1)  # as its parent does
        with pytest.raises(FollowError, match="worker 1 ended while it did the same"):
            await loading
        assert found(control) == "cats/1"
        async with started(Loader(), workers(1)) as replacement:
            assert replacement.plan == control.plan
        workers(1).folder.leave(1)
        await control.load("cats", "2", LIMIT)
        assert found(control) == "cats/2"


@on_virtual_clock
async def test_a_worker_that_has_ended_is_not_waited_for_to_unload(
    workers: Callable[[int], Membership],
) -> None:
    async with started(Loader(), workers(0)) as control:
        async with started(Loader(), workers(1)):
            pass
        unloading = asyncio.create_task(control.unload("dogs", None))
        await asyncio.sleep(1)
        assert not unloading.done()
        workers(1).folder.leave(1)
        await unloading


@on_virtual_clock
async def test_a_change_by_a_worker_that_could_not_follow_the_last_one_is_told_from_that(
    workers: Callable[[int], Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others have reported of the last one is no word about this one."""
    mine, others = Loader(), Loader()
    mine.broken, others.broken = {"3"}, {"2"}
    async with started(mine, workers(0)) as control, started(others, workers(1)) as other:
        write = PlanFolder.write

        def fail_to_withdraw(folder: PlanFolder, plan: Plan) -> None:
            if plan.generation == 2:
                raise OSError(28, "no space left on device")
            write(folder, plan)

        with monkeypatch.context() as patch:
            patch.setattr(PlanFolder, "write", fail_to_withdraw)
            with pytest.raises(FollowError, match="version 2 is broken"):
                await control.load("cats", "2", LIMIT)
        with pytest.raises(FollowError, match="version 3 is broken"):
            await other.load("cats", "3", LIMIT)
        assert (found(control), found(other)) == ("cats/1", "cats/1")


@on_virtual_clock
async def test_a_worker_that_cannot_even_report_follows_the_next_change(
    workers: Callable[[int], Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_workers, "FOLLOW_SECONDS", 1)
    others = Loader()
    others.broken = {"2"}
    full = workers(1)
    async with started(Loader(), workers(0)) as control, started(others, full) as other:
        with monkeypatch.context() as patch:

            def fail(_folder: PlanFolder, worker: int, _report: object) -> None:
                if worker == 1:
                    raise OSError("no space left on device")

            patch.setattr(PlanFolder, "report", fail)
            with pytest.raises(FollowError, match="has not followed"):
                await control.load("cats", "2", LIMIT)
        await control.load("cats", "3", LIMIT)
        assert (found(control), found(other)) == ("cats/3", "cats/3")


@on_virtual_clock
async def test_a_worker_that_starts_later_serves_what_the_others_do(
    workers: Callable[[int], Membership],
) -> None:
    late = Loader()
    async with started(Loader(), workers(0)) as control:
        await control.load("cats", "2", LIMIT)
        await control.unload("cats", "1")
        async with started(late, workers(1)) as other:
            assert other.plan == control.plan
            assert {entry.version for entry in late.loaded if entry.name == "cats"} == {"2"}


@on_virtual_clock
async def test_a_change_during_the_start_of_a_worker_reaches_it(workers: Callable[[int], Membership]) -> None:
    late = Loader()
    late.may_load.clear()
    async with started(Loader(), workers(0)) as control:
        late_control = started(late, workers(1))
        starting = asyncio.create_task(late_control.__aenter__())
        await asyncio.sleep(1)
        await control.load("cats", "2", LIMIT)
        late.may_load.set()
        other = await starting
        assert found(other) == "cats/2"
        await late_control.__aexit__(None, None, None)


@on_virtual_clock
async def test_only_one_worker_changes_what_is_served(workers: Callable[[int], Membership]) -> None:
    slow = Loader()
    async with started(slow, workers(0)) as control, started(Loader(), workers(1)) as other:
        slow.may_load.clear()
        running = asyncio.create_task(control.load("cats", "2", LIMIT))
        await asyncio.sleep(1)
        with pytest.raises(BusyError):
            await other.load("cats", "3", LIMIT)
        slow.may_load.set()
        await running
        assert (found(control), found(other)) == ("cats/2", "cats/2")


class FullDisk:
    """Has writes to the folder of plans fail, of files whose names begin so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: tuple[str, ...] = ()
        replace = PlanFolder._replace

        def refuse_or_replace(folder: PlanFolder, name: str, content: BaseModel) -> None:
            if name.startswith(self.names):
                raise OSError(28, "No space left on device")
            replace(folder, name, content)

        monkeypatch.setattr(PlanFolder, "_replace", refuse_or_replace)


@on_virtual_clock
async def test_a_plan_that_cannot_be_written_is_followed_by_nobody_and_the_next_by_all(
    workers: Callable[[int], Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    async with started(Loader(), workers(0)) as control, started(Loader(), workers(1)) as other:
        disk.names = ("plan",)
        load, unload = control.load("cats", "2", LIMIT), control.unload("dogs", None)
        for change in (load, unload):
            with pytest.raises(FollowError, match="cannot be told: No space left"):
                await change
            assert (found(control), found(other)) == ("cats/1", "cats/1")
            assert control.plan == other.plan
        disk.names = ()
        # By the other one, whose plan has the number that the first could not write.
        await other.load("cats", "3", LIMIT)
        assert (found(control), found(other)) == ("cats/3", "cats/3")
        await control.unload("dogs", None)
        assert (control.versions("dogs"), other.versions("dogs")) == ([], [])
        assert control.plan == other.plan


@on_virtual_clock
async def test_a_disk_that_fills_up_in_mid_change_splits_nobody(
    workers: Callable[[int], Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    theirs = Loader()
    async with started(Loader(), workers(0)) as control, started(theirs, workers(1)) as other:
        theirs.may_load.clear()
        loading = asyncio.create_task(control.load("cats", "2", LIMIT))
        await asyncio.sleep(1)  # staged, and waiting for the other one
        disk.names = ("plan",)
        theirs.may_load.set()
        with pytest.raises(FollowError, match="cannot be told: No space left"):
            await loading
        assert (found(control), found(other)) == ("cats/1", "cats/1")
        assert control.plan == other.plan
        disk.names = ()
        await other.load("cats", "2", LIMIT)
        assert (found(control), found(other)) == ("cats/2", "cats/2")
        assert control.plan == other.plan


@on_virtual_clock
async def test_a_worker_that_cannot_report_serves_and_reports_when_it_can(
    workers: Callable[[int], Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    async with started(Loader(), workers(0)) as control:
        disk.names = ("1.report",)
        async with started(Loader(), workers(1)) as other:
            assert found(other) == "cats/1"
            assert workers(1).folder.reports().keys() == {0}
            disk.names = ()
            await asyncio.sleep(1)
            assert workers(1).folder.reports().keys() == {0, 1}
            await control.load("cats", "2", LIMIT)
            assert found(other) == "cats/2"
