"""Models are loaded and unloaded while others serve, by all processes or by none."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import Tensor

from app import model_control
from app.batcher import Batcher, ClosedError
from app.loaded_model import LoadedModel
from app.model_control import FollowError, ModelControl, RefusedChangeError
from app.model_store import Scores, ServedModel
from app.plan import Entry, Plan
from app.plan_folder import BusyError, Membership, PlanFolder
from app.repository import Repository, UnknownModelError
from tests.unit.virtual_clock import on_virtual_clock

LIMIT = 3


class Loader:
    """Loads in no time; what it loads knows its entry. `broken` is what it refuses."""

    def __init__(self) -> None:
        self.loaded: list[Entry] = []
        self.retired: list[Entry] = []
        self.left: list[weakref.ref[LoadedModel]] = []
        self.freed: list[list[bool]] = []
        self.broken: set[str] = set()
        self.may_load = asyncio.Event()
        self.may_load.set()

    async def load(self, entry: Entry) -> LoadedModel:
        await self.may_load.wait()
        if entry.version in self.broken:
            raise ValueError(f"version {entry.version} is broken")
        self.loaded.append(entry)

        async def run(images: list[Tensor]) -> list[Scores]:
            await asyncio.sleep(0)
            return [cast("Scores", entry)] * len(images)

        return LoadedModel(cast("ServedModel", entry), Batcher(run, max_batch=4, max_queue=8))

    def forget(self, loaded: LoadedModel) -> None:
        self.retired.append(_entry(loaded))
        self.left.append(weakref.ref(loaded))

    async def free_memory(self) -> None:
        """Called when nothing holds a model any more."""
        self.freed.append([reference() is None for reference in self.left])


def _entry(loaded: LoadedModel) -> Entry:
    return cast("Entry", loaded.model)


async def _answered(loaded: LoadedModel) -> Entry:
    """Which loading of a model computes the answer."""
    (score,) = await loaded.batcher.submit([torch.zeros(1)])
    return cast("Entry", score)


def _found(control: ModelControl, name: str | None = None, version: str | None = None) -> str:
    entry = _entry(control.find(name, version))
    return f"{entry.name}/{entry.version}"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    for path in ("cats/1", "cats/2", "cats/3", "dogs/1"):
        (tmp_path / "repository" / path).mkdir(parents=True)
    return Repository(tmp_path / "repository")


def _first() -> Plan:
    return Plan.first({"cats": "1", "dogs": "1"}, default="cats")


@asynccontextmanager
async def _started(loader: Loader, membership: Membership | None = None) -> AsyncIterator[ModelControl]:
    control = ModelControl(_first, loader.load, loader.forget, loader.free_memory, membership)
    await control.start()
    yield control
    await control.close()


@pytest.fixture
def workers(tmp_path: Path) -> Callable[[int], Membership]:
    folder = PlanFolder(tmp_path / "plans")
    folder.path.mkdir()
    return lambda number: Membership(folder, number)


@on_virtual_clock
async def test_requests_find_the_default_the_current_or_the_version_they_name(repository: Repository) -> None:
    async with _started(Loader()) as control:
        assert _found(control) == "cats/1"
        await control.load(repository, "cats", "3", LIMIT)
        assert (_found(control), _found(control, "cats")) == ("cats/3", "cats/3")
        assert (_found(control, "cats", "1"), _found(control, "dogs")) == ("cats/1", "dogs/1")
        with pytest.raises(UnknownModelError, match="no model 'birds'; choose from cats, dogs"):
            control.find("birds")
        with pytest.raises(UnknownModelError, match="no version '2' of cats; choose from 1, 3"):
            control.find("cats", "2")


@on_virtual_clock
async def test_without_a_version_the_newest_is_loaded(repository: Repository) -> None:
    async with _started(Loader()) as control:
        await control.load(repository, "cats", None, LIMIT)
        assert _found(control) == "cats/3"
        await control.load(repository, "cats", "1", LIMIT)
        assert _found(control) == "cats/1"


@on_virtual_clock
async def test_a_version_loaded_anew_replaces_itself_and_requests_keep_what_they_have(
    repository: Repository,
) -> None:
    loader = Loader()
    async with _started(loader) as control:
        before = control.find()
        with before:
            await control.load(repository, "cats", "1", LIMIT)
            after = control.find()
            assert after is not before
            assert loader.retired == [_entry(before)]
            assert await _answered(before) == _entry(before)
        await asyncio.sleep(1)
        with pytest.raises(ClosedError):
            await _answered(before)
        assert await _answered(after) == _entry(after)


@on_virtual_clock
async def test_memory_is_given_back_when_the_last_request_has_let_go_of_a_model(
    repository: Repository,
) -> None:
    loader = Loader()
    async with _started(loader) as control:
        with control.find():
            await control.load(repository, "cats", "1", LIMIT)
            await asyncio.sleep(1)
            assert loader.freed == []
        await asyncio.sleep(1)
        assert loader.freed == [[True]]


@on_virtual_clock
async def test_a_broken_version_changes_nothing(repository: Repository) -> None:
    loader = Loader()
    loader.broken = {"2"}
    async with _started(loader) as control:
        plan = control.plan
        with pytest.raises(ValueError, match="version 2 is broken"):
            await control.load(repository, "cats", "2", LIMIT)
        assert control.plan == plan
        assert _found(control) == "cats/1"
        await control.load(repository, "cats", "3", LIMIT)
        assert _found(control) == "cats/3"


@on_virtual_clock
async def test_a_version_that_is_not_on_disk_is_unknown(repository: Repository) -> None:
    async with _started(Loader()) as control:
        with pytest.raises(UnknownModelError, match="choose from 1, 2, 3"):
            await control.load(repository, "cats", "4", LIMIT)
        with pytest.raises(UnknownModelError, match="choose from cats, dogs"):
            await control.load(repository, "birds", None, LIMIT)


@on_virtual_clock
async def test_no_more_are_loaded_than_may_be(repository: Repository) -> None:
    async with _started(Loader()) as control:
        await control.load(repository, "cats", "2", LIMIT)
        with pytest.raises(RefusedChangeError, match=r"3 models are loaded.+MAX_MODELS.+unload one"):
            await control.load(repository, "cats", "3", LIMIT)
        await control.load(repository, "cats", "2", LIMIT)
        await control.unload("cats", "1")
        await control.load(repository, "cats", "3", LIMIT)
        assert control.versions("cats") == ["2", "3"]


@on_virtual_clock
async def test_what_is_unloaded_is_not_found_and_the_rest_is(repository: Repository) -> None:
    loader = Loader()
    async with _started(loader) as control:
        await control.load(repository, "cats", "2", LIMIT)
        await control.unload("cats", "2")
        assert _found(control) == "cats/1"
        await control.unload("dogs", None)
        assert [entry.name for entry in loader.retired] == ["cats", "dogs"]
        with pytest.raises(UnknownModelError, match="choose from cats"):
            control.find("dogs")
        with pytest.raises(UnknownModelError, match="choose from cats"):
            await control.unload("dogs", None)
        with pytest.raises(UnknownModelError, match="choose from 1"):
            await control.unload("cats", "2")


@pytest.mark.parametrize("version", [None, "1"])
@on_virtual_clock
async def test_the_last_version_of_the_default_model_stays(version: str | None) -> None:
    async with _started(Loader()) as control:
        with pytest.raises(RefusedChangeError, match="cats answers the requests that name no model"):
            await control.unload("cats", version)
        assert _found(control) == "cats/1"


@on_virtual_clock
async def test_one_change_at_a_time(repository: Repository) -> None:
    loader = Loader()
    async with _started(loader) as control:
        loader.may_load.clear()
        running = asyncio.create_task(control.load(repository, "cats", "2", LIMIT))
        await asyncio.sleep(0)
        assert _found(control) == "cats/1"
        with pytest.raises(BusyError):
            await control.load(repository, "cats", "3", LIMIT)
        with pytest.raises(BusyError):
            await control.unload("dogs", None)
        loader.may_load.set()
        await running
        assert _found(control) == "cats/2"


@on_virtual_clock
async def test_every_worker_serves_what_one_was_asked_to_load(
    repository: Repository, workers: Callable[[int], Membership]
) -> None:
    mine, others = Loader(), Loader()
    async with _started(mine, workers(0)) as control, _started(others, workers(1)) as other:
        await control.load(repository, "cats", "2", LIMIT)
        assert (_found(control), _found(other)) == ("cats/2", "cats/2")
        assert control.plan == other.plan
        await other.unload("cats", "1")
        assert control.versions("cats") == other.versions("cats") == ["2"]
        await other.load(repository, "cats", "2", LIMIT)
        assert [entry.version for entry in mine.loaded] == ["1", "1", "2", "2"]
        assert mine.loaded == others.loaded


@on_virtual_clock
async def test_what_another_worker_cannot_load_is_served_by_none(
    repository: Repository, workers: Callable[[int], Membership]
) -> None:
    mine, others = Loader(), Loader()
    others.broken = {"2"}
    async with _started(mine, workers(0)) as control, _started(others, workers(1)) as other:
        with pytest.raises(FollowError, match="worker 1 cannot do the same: ValueError: version 2 is broken"):
            await control.load(repository, "cats", "2", LIMIT)
        assert (_found(control), _found(other)) == ("cats/1", "cats/1")
        assert [entry.version for entry in mine.retired] == ["2"]
        await control.load(repository, "cats", "3", LIMIT)
        assert (_found(control), _found(other)) == ("cats/3", "cats/3")


@on_virtual_clock
async def test_a_worker_that_does_not_follow_is_waited_for_only_so_long(
    repository: Repository, workers: Callable[[int], Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_control, "FOLLOW_SECONDS", 1)
    stuck = Loader()
    async with _started(Loader(), workers(0)) as control, _started(stuck, workers(1)) as other:
        stuck.may_load.clear()
        with pytest.raises(FollowError, match="worker 1 has not followed"):
            await control.load(repository, "cats", "2", LIMIT)
        assert (_found(control), _found(other)) == ("cats/1", "cats/1")
        stuck.may_load.set()


@on_virtual_clock
async def test_what_is_broken_here_leaves_no_trace_for_the_others(
    repository: Repository, workers: Callable[[int], Membership]
) -> None:
    mine, others = Loader(), Loader()
    mine.broken = {"2"}
    async with _started(mine, workers(0)) as control, _started(others, workers(1)) as other:
        for change in (other.unload("dogs", None), other.load(repository, "cats", "3", LIMIT)):
            with pytest.raises(ValueError, match="version 2 is broken"):
                await control.load(repository, "cats", "2", LIMIT)
            await change
            assert control.plan == other.plan
        assert (_found(control), _found(other)) == ("cats/3", "cats/3")


@on_virtual_clock
async def test_what_another_worker_ends_of_is_served_by_none(
    repository: Repository, workers: Callable[[int], Membership]
) -> None:
    async with _started(Loader(), workers(0)) as control:
        async with _started(Loader(), workers(1)):
            pass
        loading = asyncio.create_task(control.load(repository, "cats", "2", LIMIT))
        await asyncio.sleep(1)
        assert not loading.done()
        workers(1).folder.leave(1)  # as its parent does
        with pytest.raises(FollowError, match="worker 1 ended while it did the same"):
            await loading
        assert _found(control) == "cats/1"
        async with _started(Loader(), workers(1)) as replacement:
            assert replacement.plan == control.plan
        workers(1).folder.leave(1)
        await control.load(repository, "cats", "2", LIMIT)
        assert _found(control) == "cats/2"


@on_virtual_clock
async def test_a_worker_that_has_ended_is_not_waited_for_to_unload(
    workers: Callable[[int], Membership],
) -> None:
    async with _started(Loader(), workers(0)) as control:
        async with _started(Loader(), workers(1)):
            pass
        unloading = asyncio.create_task(control.unload("dogs", None))
        await asyncio.sleep(1)
        assert not unloading.done()
        workers(1).folder.leave(1)
        await unloading


@on_virtual_clock
async def test_a_worker_that_cannot_even_report_follows_the_next_change(
    repository: Repository, workers: Callable[[int], Membership], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_control, "FOLLOW_SECONDS", 1)
    others = Loader()
    others.broken = {"2"}
    full = workers(1)
    async with _started(Loader(), workers(0)) as control, _started(others, full) as other:
        with monkeypatch.context() as patch:

            def fail(_folder: PlanFolder, worker: int, _report: object) -> None:
                if worker == 1:
                    raise OSError("no space left on device")

            patch.setattr(PlanFolder, "report", fail)
            with pytest.raises(FollowError, match="has not followed"):
                await control.load(repository, "cats", "2", LIMIT)
        await control.load(repository, "cats", "3", LIMIT)
        assert (_found(control), _found(other)) == ("cats/3", "cats/3")


@on_virtual_clock
async def test_a_worker_that_starts_later_serves_what_the_others_do(
    repository: Repository, workers: Callable[[int], Membership]
) -> None:
    late = Loader()
    async with _started(Loader(), workers(0)) as control:
        await control.load(repository, "cats", "2", LIMIT)
        await control.unload("cats", "1")
        async with _started(late, workers(1)) as other:
            assert other.plan == control.plan
            assert {entry.version for entry in late.loaded if entry.name == "cats"} == {"2"}


@on_virtual_clock
async def test_a_change_during_the_start_of_a_worker_reaches_it(
    repository: Repository, workers: Callable[[int], Membership]
) -> None:
    late = Loader()
    late.may_load.clear()
    async with _started(Loader(), workers(0)) as control:
        started = _started(late, workers(1))
        starting = asyncio.create_task(started.__aenter__())
        await asyncio.sleep(1)
        await control.load(repository, "cats", "2", LIMIT)
        late.may_load.set()
        other = await starting
        assert _found(other) == "cats/2"
        await started.__aexit__(None, None, None)


@on_virtual_clock
async def test_only_one_worker_changes_what_is_served(
    repository: Repository, workers: Callable[[int], Membership]
) -> None:
    slow = Loader()
    async with _started(slow, workers(0)) as control, _started(Loader(), workers(1)) as other:
        slow.may_load.clear()
        running = asyncio.create_task(control.load(repository, "cats", "2", LIMIT))
        await asyncio.sleep(1)
        with pytest.raises(BusyError):
            await other.load(repository, "cats", "3", LIMIT)
        slow.may_load.set()
        await running
        assert (_found(control), _found(other)) == ("cats/2", "cats/2")
