"""Models are loaded and unloaded while others serve."""

import asyncio

import pytest

from app.batching.batch_errors import ClosedError
from app.registry.control import RefusedChangeError
from app.registry.plan_folder import BusyError
from app.registry.repository import UnknownModelError
from tests.support.controlled_models import LIMIT, Loader, answered, entry_of, found, started
from tests.support.virtual_clock import on_virtual_clock


@on_virtual_clock
async def test_requests_find_the_default_the_current_or_the_version_they_name() -> None:
    async with started(Loader()) as control:
        assert found(control) == "cats/1"
        await control.load("cats", "3", LIMIT)
        assert (found(control), found(control, "cats")) == ("cats/3", "cats/3")
        assert (found(control, "cats", "1"), found(control, "dogs")) == ("cats/1", "dogs/1")
        with pytest.raises(UnknownModelError, match="no model 'birds'; choose from cats, dogs"):
            control.find("birds")
        with pytest.raises(UnknownModelError, match="no version '2' of cats; choose from 1, 3"):
            control.find("cats", "2")


@on_virtual_clock
async def test_a_version_loaded_anew_replaces_itself_and_requests_keep_what_they_have() -> None:
    loader = Loader()
    async with started(loader) as control:
        before = control.find()
        with before:
            await control.load("cats", "1", LIMIT)
            after = control.find()
            assert after is not before
            assert loader.retired == [entry_of(before)]
            assert await answered(before) == entry_of(before)
        await asyncio.sleep(1)
        with pytest.raises(ClosedError):
            await answered(before)
        assert await answered(after) == entry_of(after)


@on_virtual_clock
async def test_memory_is_given_back_when_the_last_request_has_let_go_of_a_model() -> None:
    loader = Loader()
    async with started(loader) as control:
        with control.find():
            await control.load("cats", "1", LIMIT)
            await asyncio.sleep(1)
            assert loader.freed == []
        await asyncio.sleep(1)
        assert loader.freed == [[True]]


@on_virtual_clock
async def test_a_broken_version_changes_nothing() -> None:
    loader = Loader()
    loader.broken = {"2"}
    async with started(loader) as control:
        plan = control.plan
        with pytest.raises(ValueError, match="version 2 is broken"):
            await control.load("cats", "2", LIMIT)
        assert control.plan == plan
        assert found(control) == "cats/1"
        await control.load("cats", "3", LIMIT)
        assert found(control) == "cats/3"


@on_virtual_clock
async def test_no_more_are_loaded_than_may_be() -> None:
    async with started(Loader()) as control:
        await control.load("cats", "2", LIMIT)
        with pytest.raises(RefusedChangeError, match=r"3 models are loaded.+MAX_MODELS.+unload one"):
            await control.load("cats", "3", LIMIT)
        await control.load("cats", "2", LIMIT)
        await control.unload("cats", "1")
        await control.load("cats", "3", LIMIT)
        assert control.versions("cats") == ["2", "3"]


@on_virtual_clock
async def test_what_is_unloaded_is_not_found_and_the_rest_is() -> None:
    loader = Loader()
    async with started(loader) as control:
        await control.load("cats", "2", LIMIT)
        await control.unload("cats", "2")
        assert found(control) == "cats/1"
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
    async with started(Loader()) as control:
        with pytest.raises(RefusedChangeError, match="cats answers the requests that name no model"):
            await control.unload("cats", version)
        assert found(control) == "cats/1"


@on_virtual_clock
async def test_one_change_at_a_time() -> None:
    loader = Loader()
    async with started(loader) as control:
        loader.may_load.clear()
        running = asyncio.create_task(control.load("cats", "2", LIMIT))
        await asyncio.sleep(0)
        assert found(control) == "cats/1"
        with pytest.raises(BusyError):
            await control.load("cats", "3", LIMIT)
        with pytest.raises(BusyError):
            await control.unload("dogs", None)
        loader.may_load.set()
        await running
        assert found(control) == "cats/2"
