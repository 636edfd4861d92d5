"""Which models are served, changed while requests run: in this process, and alike in all others beside it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from app.registry.loaded_model import LoadedModel
from app.registry.other_workers import POLL_SECONDS, FollowError, OtherWorkers
from app.registry.plan import Entry, Plan
from app.registry.plan_folder import BusyError, Membership
from app.registry.repository import UnknownModelError

logger = logging.getLogger(__name__)


class RefusedChangeError(Exception):
    """What is served cannot be changed so; the message says why."""


class ModelControl:
    """Holds the loaded models, finds them for requests, loads and unloads.

    A change has two steps, so that it happens everywhere or nowhere. First the new model is *staged*: loaded
    and proven by the process that was asked, then by the others. Only when all have it, the plan that serves
    it is written, and then takes effect. Until then, and if anyone refuses, every request is served as
    before. A model that leaves is kept until the last request that uses it is answered.
    """

    def __init__(
        self,
        first: Callable[[], Plan],
        load: Callable[[Entry], Awaitable[LoadedModel]],
        on_retired: Callable[[LoadedModel], None],
        free_memory: Callable[[], Awaitable[None]],
        membership: Membership | None,
    ) -> None:
        self._first = first
        self._load = load
        self._on_retired = on_retired
        self._free_memory = free_memory
        self._others = OtherWorkers(membership)
        self._held: dict[Entry, LoadedModel] = {}
        self._serving: dict[tuple[str, str], LoadedModel] = {}
        self._plan = Plan(generation=-1, entries=(), current={}, default="")
        self._seen = self._plan
        """The last plan that this process has followed, or tried to."""
        self._turn = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()
        self._follower: asyncio.Task[None] | None = None

    @property
    def plan(self) -> Plan:
        return self._plan

    @property
    def _base(self) -> Plan:
        """What is served, to be changed, with the number of the last plan seen, followed or not."""
        return self._plan.model_copy(update={"generation": self._seen.generation})

    def models(self) -> list[LoadedModel]:
        """All that are served, in the order in which they were loaded."""
        return list(self._serving.values())

    def find(self, name: str | None = None, version: str | None = None) -> LoadedModel:
        """The model of this name, or the default one, in this version, or the current one.

        Raises `UnknownModelError`.
        """
        plan = self._plan
        name = plan.default if name is None else name
        if name not in plan.current:
            raise UnknownModelError(name, None, list(plan.current))
        version = plan.current[name] if version is None else version
        found = self._serving.get((name, version))
        if found is None:
            raise UnknownModelError(name, version, self.versions(name))
        return found

    def versions(self, name: str) -> list[str]:
        """Those of a model that are served, in the order in which they were loaded."""
        return [version for of, version in self._serving if of == name]

    async def start(self) -> None:
        """Load what is to be served, and from now on follow what the other processes decide.

        Raises what loading raises, and `OSError`.
        """
        plan: Plan | None = self._others.join(self._first)
        # Whoever changes the plan waits for those that have reported. So either it waits for this process, or
        # its change is seen here, after the report.
        while plan is not None and plan != self._seen:
            await self._apply(plan)
            self._others.report(self._seen.generation)
            plan = self._others.plan()
        if not self._others.are_none:
            self._follower = asyncio.create_task(self._follow())

    async def load(self, name: str, version: str, limit: int) -> None:
        """Load a version of the repository and let it answer for its name, everywhere.

        A version that is served already is loaded anew and replaced. Raises `RefusedChangeError` if more than
        `limit` would be loaded, `BusyError` while another change is under way, `FollowError`, and what
        loading raises.
        """
        async with self._changing():
            staged = self._base.stage(name, version)
            planned = staged.commit()
            if len(planned.entries) > limit:
                raise RefusedChangeError(
                    f"{len(self._plan.entries)} models are loaded, as many as may be "
                    "(RESNET_SERVE_MAX_MODELS); unload one first"
                )
            seen = self._seen
            try:
                # Here first: a model that is broken is no concern of the others.
                await self._apply(staged)
            except BaseException:
                self._seen = seen
                raise
            try:
                self._others.publish(staged)
                await self._wait_for_others(staged)
                self._others.publish(planned)
            except BaseException:
                await self._withdraw(staged.abandon())
                raise
            await self._apply(planned)
            await self._wait_for_others(planned)

    async def unload(self, name: str, version: str | None) -> None:
        """Serve a version no more, or all versions of a model, everywhere.

        Raises `UnknownModelError`, `RefusedChangeError` for what requests without a name go to, `BusyError`
        and `FollowError`.
        """
        async with self._changing():
            self.find(name, version)
            planned = self._base.remove(name, version)
            if self._plan.default not in planned.current:
                raise RefusedChangeError(
                    f"{name} answers the requests that name no model "
                    "(RESNET_SERVE_DEFAULT_MODEL); one version must stay"
                )
            self._others.publish(planned)
            await self._apply(planned)
            await self._wait_for_others(planned)

    async def close(self) -> None:
        """Compute what still waits, and return when nothing is left."""
        if self._follower is not None:
            self._follower.cancel()
        await asyncio.gather(*(loaded.batcher.close() for loaded in self._held.values()), *self._retiring)

    async def _apply(self, plan: Plan) -> None:
        """Follow `plan`: all that it needs is loaded before anything changes, or nothing does."""
        wanted = (*plan.entries, plan.staged) if plan.staged else plan.entries
        self._seen = plan
        fresh: dict[Entry, LoadedModel] = {}
        try:
            for entry in wanted:
                if entry not in self._held:
                    fresh[entry] = await self._load(entry)
        except BaseException:
            for loaded in fresh.values():
                self._retire(loaded)
            raise
        self._held |= fresh
        self._plan = plan
        self._serving = {(entry.name, entry.version): self._held[entry] for entry in plan.entries}
        for entry in [entry for entry in self._held if entry not in wanted]:
            self._retire(self._held.pop(entry))

    def _retire(self, loaded: LoadedModel) -> None:
        self._on_retired(loaded)
        task = asyncio.create_task(self._release(loaded))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    async def _release(self, loaded: LoadedModel) -> None:
        await loaded.retire()
        del loaded  # the last that holds it
        await self._free_memory()

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        if self._turn.locked():
            raise BusyError
        async with self._turn:
            with self._others.lock():
                await self._catch_up()
                yield

    async def _catch_up(self) -> None:
        """Follow what another process has decided since the last look."""
        plan = self._others.plan()
        # By its content: what could not be written here is nothing that others know of.
        if plan is not None and plan != self._seen:
            await self._apply(plan)
            self._others.report(self._seen.generation)
        else:
            self._others.report_again()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if self._turn.locked():
                continue
            async with self._turn:
                try:
                    await self._catch_up()
                except Exception as error:
                    logger.exception("cannot follow a change of what is served")
                    self._others.report(self._seen.generation, f"{type(error).__name__}: {error}")

    async def _withdraw(self, plan: Plan) -> None:
        """Follow `plan` with all others, or whatever they follow if they cannot be told."""
        try:
            self._others.publish(plan)
        except FollowError as error:
            logger.warning("what was staged stays so: %s", error)
            plan = self._others.plan() or plan
        await self._apply(plan)
        self._others.report(self._seen.generation)

    async def _wait_for_others(self, plan: Plan) -> None:
        self._others.report(self._seen.generation)
        await self._others.wait_for(plan)
