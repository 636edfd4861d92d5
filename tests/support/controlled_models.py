"""A control whose models are loaded in no time, for the tests of one process and of several."""

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import numpy as np

from app.batching.batcher import Batcher
from app.batching.scores import Scores
from app.registry.control import ModelControl
from app.registry.loaded_model import LoadedModel
from app.registry.plan import Entry, Plan
from app.registry.plan_folder import Membership
from app.registry.served_model import Pixels, ServedModel

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

        async def run(images: list[Pixels]) -> list[Scores]:
            await asyncio.sleep(0)
            return [cast("Scores", entry)] * len(images)

        return LoadedModel(cast("ServedModel", entry), Batcher(run, max_batch=4, max_queue=8))

    def forget(self, loaded: LoadedModel) -> None:
        self.retired.append(entry_of(loaded))
        self.left.append(weakref.ref(loaded))

    async def free_memory(self) -> None:
        """Called when nothing holds a model any more."""
        self.freed.append([reference() is None for reference in self.left])


def entry_of(loaded: LoadedModel) -> Entry:
    return cast("Entry", loaded.model)


async def answered(loaded: LoadedModel) -> Entry:
    """Which loading of a model computes the answer."""
    (score,) = await loaded.batcher.submit([np.zeros(1, np.float32)])
    return cast("Entry", score)


def found(control: ModelControl, name: str | None = None, version: str | None = None) -> str:
    entry = entry_of(control.find(name, version))
    return f"{entry.name}/{entry.version}"


def _first() -> Plan:
    return Plan.first({"cats": "1", "dogs": "1"}, default="cats")


@asynccontextmanager
async def started(loader: Loader, membership: Membership | None = None) -> AsyncIterator[ModelControl]:
    control = ModelControl(_first, loader.load, loader.forget, loader.free_memory, membership)
    await control.start()
    yield control
    await control.close()
