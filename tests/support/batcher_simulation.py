"""A batcher between clients and an engine that follow a schedule, on a virtual clock, with a log of it all.

Items are pairs (number of the request, number of the item in it); the engine answers `answer_to(item)`.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from itertools import count, cycle
from typing import Literal, TypeAlias

from app.batching.batch_errors import QueueFullError
from app.batching.batcher import Batcher
from tests.support import virtual_clock

Item: TypeAlias = tuple[int, int]
Ending: TypeAlias = Literal["answers", "raises", "raises at once", "too few", "too many", "cancelled"]


@dataclass(frozen=True)
class Request:
    """A client that comes at second `arrival`, after `steps` further iterations of the loop."""

    arrival: int
    steps: int
    size: int
    patience: int | None
    cancelled_after: int | None


@dataclass(frozen=True)
class Schedule:
    """`runs` says how long each batch takes and how it ends; after the last the first comes again."""

    max_batch: int
    max_queue: int
    concurrency: int
    requests: list[Request]
    runs: list[tuple[int, Ending]]
    close_at: int | None


@dataclass
class Client:
    """What became of a request. Times are in seconds; places in the log order what happens at one instant."""

    number: int
    request: Request
    task: asyncio.Task[None] | None = None
    submitted_place: int | None = None
    cancelled_place: int | None = None
    ended: float | None = None
    outcome: list[str] | BaseException | None = None

    @property
    def deadline(self) -> float | None:
        return None if self.request.patience is None else self.request.arrival + self.request.patience

    @property
    def items(self) -> list[Item]:
        return [(self.number, index) for index in range(self.request.size)]


@dataclass
class Run:
    """What became of a batch; `places` are those of its items in the log."""

    items: list[Item]
    places: list[int]
    started: float
    ending: Ending
    running_with_it: int
    ended: float | None = None
    error: BaseException | None = None


def answer_to(item: Item) -> str:
    return "answer to {}.{}".format(*item)


def now() -> float:
    return asyncio.get_running_loop().time()


class Simulation:
    """Runs a schedule to its end; the log is in `clients`, `runs`, `reported` and `closed_place`.

    Raises `AssertionError` as soon as the batcher breaks a rule that has to be seen at the time.
    """

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.clients = [Client(number, request) for number, request in enumerate(schedule.requests)]
        self.runs: list[Run] = []
        self.reported: list[int] = []
        self.closed_place: int | None = None
        self._plans = cycle(schedule.runs)
        self._places = count()
        self._batcher = Batcher[Item, str](
            self._run,
            max_batch=schedule.max_batch,
            max_queue=schedule.max_queue,
            concurrency=schedule.concurrency,
            on_batch=self.reported.append,
        )
        virtual_clock.run(self._main(), before_jump=self._check_instant)

    async def _main(self) -> None:
        for client in self.clients:
            client.task = asyncio.ensure_future(self._client(client))
            if client.request.cancelled_after is not None:
                at = client.request.arrival + client.request.cancelled_after
                asyncio.get_running_loop().call_at(at, self._cancel, client)
        closing = asyncio.ensure_future(self._close()) if self.schedule.close_at is not None else None
        await asyncio.gather(*(client.task for client in self.clients if client.task))
        await (closing or self._batcher.close())
        assert (self._batcher.depth, self._batcher.running, self._running()) == (0, 0, 0)

    async def _client(self, client: Client) -> None:
        try:
            await asyncio.sleep(client.request.arrival)
            for _ in range(client.request.steps):
                await asyncio.sleep(0)
            waiting = self._waiting()
            client.submitted_place = next(self._places)
            client.outcome = await self._batcher.submit(client.items, deadline=client.deadline)
        except BaseException as error:  # noqa: BLE001 - every outcome is judged afterwards
            client.outcome = error
            if isinstance(error, QueueFullError):
                self._check_refusal(client, error, waiting)
        client.ended = now()

    def _cancel(self, client: Client) -> None:
        if client.task is not None and not client.task.done():
            client.cancelled_place = next(self._places)
            client.task.cancel()

    async def _close(self) -> None:
        await asyncio.sleep(self.schedule.close_at or 0)
        self.closed_place = next(self._places)
        await self._batcher.close()
        assert (self._batcher.depth, self._batcher.running, self._running()) == (0, 0, 0)

    def _run(self, items: list[Item]) -> Awaitable[list[str]]:
        seconds, ending = next(self._plans)
        run = Run(items, [next(self._places) for _ in items], now(), ending, self._running() + 1)
        self.runs.append(run)
        for client in self.clients:
            if client.task is asyncio.current_task():  # started to make room for it, so it came after them
                client.submitted_place = next(self._places)
        if ending == "raises at once":
            self._end(run)
            assert run.error is not None
            raise run.error
        loop = asyncio.get_running_loop()
        result: asyncio.Future[list[str]] = loop.create_future()
        loop.call_later(seconds, self._end, run, result)
        return result

    def _end(self, run: Run, result: asyncio.Future[list[str]] | None = None) -> None:
        run.ended = now()
        if run.ending in ("raises", "raises at once"):
            run.error = KeyError(f"run {self.runs.index(run)}")
        if result is None:
            return
        answers = [answer_to(item) for item in run.items]
        if run.error is not None:
            result.set_exception(run.error)
        elif run.ending == "cancelled":
            result.cancel()
        else:
            result.set_result({"too few": answers[1:], "too many": [*answers, ""]}.get(run.ending, answers))

    def _running(self) -> int:
        return sum(run.ended is None for run in self.runs)

    def _waiting(self) -> set[Item]:
        """The items that wait as far as one can see from outside."""
        submitted = [
            client for client in self.clients if client.submitted_place is not None and client.ended is None
        ]
        started = {item for run in self.runs for item in run.items}
        return {item for client in submitted for item in client.items} - started

    def _check_refusal(self, client: Client, error: QueueFullError, waiting: set[Item]) -> None:
        limit = self.schedule.max_queue
        assert (error.count, error.limit, error.depth) == (client.request.size, limit, self._batcher.depth)
        assert error.depth <= len(waiting)
        assert error.depth + error.count > limit
        assert error.count > limit or self._batcher.running == self.schedule.concurrency

    def _check_instant(self) -> None:
        """The rules for the end of an instant, before time goes on."""
        waiting = len(self._waiting())
        assert (self._batcher.depth, self._batcher.running) == (waiting, self._running())
        assert waiting <= self.schedule.max_queue
        assert waiting == 0 or self._running() == self.schedule.concurrency, "a free slot while items wait"
        for client in self.clients:
            if client.submitted_place is not None and client.ended is None:
                assert client.cancelled_place is None, "a cancelled client still waits"
                assert client.deadline is None or client.deadline > now(), "a client waits too long"
