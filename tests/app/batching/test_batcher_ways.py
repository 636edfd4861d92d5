"""Two ways to run batches: one batch soonest while few items wait, several side by side under load."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle

from hypothesis import given
from hypothesis import strategies as st

from app.batching.batch_errors import DeadlineError
from app.batching.batcher import Batcher
from app.batching.side_by_side import LEAST_BESIDE, LEAST_TOGETHER
from tests.support import virtual_clock
from tests.support.fake_engine import Engine, now, outcomes, submit
from tests.support.virtual_clock import on_virtual_clock

MAX_BATCH = 3 * LEAST_BESIDE
ENOUGH = 2 * LEAST_TOGETHER
"""For two batches side by side."""


@dataclass
class Ways:
    """A batcher with an engine for latency and one for throughput, of two batches at a time."""

    one: Engine = field(default_factory=Engine)
    several: Engine = field(default_factory=Engine)

    def __post_init__(self) -> None:
        self.batcher = Batcher(self.one.run, max_batch=MAX_BATCH, max_queue=1000)
        self.batcher.use_for_throughput(self.several.run, max_batch=MAX_BATCH, concurrency=2)


def sizes(engine: Engine) -> list[int]:
    return [len(batch) for batch in engine.batches]


@on_virtual_clock
async def test_few_items_are_one_batch_that_has_all_threads() -> None:
    ways = Ways()
    await ways.batcher.submit(range(ENOUGH - 1))
    assert (sizes(ways.one), sizes(ways.several)) == ([ENOUGH - 1], [])


@on_virtual_clock
async def test_enough_items_are_shared_out_among_batches_side_by_side() -> None:
    ways = Ways()
    answers = await ways.batcher.submit(range(ENOUGH + 1))
    assert answers == [10 * item for item in range(ENOUGH + 1)]
    assert (sizes(ways.one), sizes(ways.several)) == ([], [LEAST_TOGETHER + 1, LEAST_TOGETHER])
    assert now() == 1


@on_virtual_clock
async def test_full_batches_are_run_side_by_side_however_small_the_largest_is() -> None:
    one, several = Engine(), Engine()
    batcher = Batcher(one.run, max_batch=2, max_queue=100)
    batcher.use_for_throughput(several.run, max_batch=2, concurrency=2)
    await batcher.submit(range(9))
    assert (sizes(one), sizes(several)) == ([1], [2, 2, 2, 2])
    assert now() == 3


@on_virtual_clock
async def test_a_batch_that_fails_at_once_holds_up_nothing() -> None:
    def refuse(items: list[int]) -> asyncio.Future[list[int]]:
        raise KeyError(len(items))

    one = Engine()
    batcher = Batcher(one.run, max_batch=MAX_BATCH, max_queue=100)
    batcher.use_for_throughput(refuse, max_batch=LEAST_TOGETHER, concurrency=2)
    failed = [submit(batcher, item) for item in range(3 * LEAST_TOGETHER)]
    results = await outcomes(*failed)
    assert [type(result) for result in results[: 2 * LEAST_TOGETHER]] == [KeyError] * 2 * LEAST_TOGETHER
    assert results[2 * LEAST_TOGETHER :] == [[10 * item] for item in range(8, 12)]


@on_virtual_clock
async def test_beside_a_batch_another_one_begins_once_there_is_enough_for_it() -> None:
    durations = iter([1, 4, 1])

    async def run(items: list[int]) -> list[int]:
        await asyncio.sleep(next(durations))
        return items

    batcher = Batcher[int, int](run, max_batch=MAX_BATCH, max_queue=100)
    batcher.use_for_throughput(run, max_batch=MAX_BATCH, concurrency=2)
    first = submit(batcher, *range(ENOUGH))
    await asyncio.sleep(2)
    too_few = submit(batcher, *range(LEAST_BESIDE - 1))
    await asyncio.sleep(0.5)
    assert (batcher.running, batcher.depth) == (1, LEAST_BESIDE - 1)
    one_more = submit(batcher, 7)
    await asyncio.sleep(0)
    await outcomes(too_few, one_more)
    assert now() == 3.5
    assert not first.done()
    await first


@on_virtual_clock
async def test_what_is_too_little_for_a_batch_beside_another_waits_for_its_end() -> None:
    ways = Ways()
    first = submit(ways.batcher, *range(ENOUGH))
    await asyncio.sleep(0.5)
    assert ways.batcher.running == 2
    late = submit(ways.batcher, 1)
    await outcomes(first, late)
    assert (sizes(ways.one), sizes(ways.several)) == ([1], [LEAST_TOGETHER] * 2)
    assert now() == 2


@on_virtual_clock
async def test_a_batch_that_has_all_threads_is_not_disturbed() -> None:
    ways = Ways()
    first = submit(ways.batcher, 1)
    await asyncio.sleep(0.5)
    crowd = submit(ways.batcher, *range(ENOUGH))
    await asyncio.sleep(0.25)
    assert (ways.batcher.running, ways.batcher.depth) == (1, ENOUGH)
    await outcomes(first, crowd)
    assert (sizes(ways.one), sizes(ways.several)) == ([1], [LEAST_TOGETHER] * 2)


@on_virtual_clock
async def test_the_way_for_throughput_may_come_while_batches_run() -> None:
    one, several = Engine(), Engine()
    batcher = Batcher(one.run, max_batch=ENOUGH, max_queue=100)
    assert batcher.concurrency == 1
    work = submit(batcher, *range(2 * ENOUGH))
    await asyncio.sleep(0.5)
    batcher.use_for_throughput(several.run, max_batch=MAX_BATCH, concurrency=2)
    assert batcher.concurrency == 2
    assert await work == [10 * item for item in range(2 * ENOUGH)]
    assert (sizes(one), sizes(several)) == ([ENOUGH], [LEAST_TOGETHER] * 2)
    assert now() == 2


@on_virtual_clock
async def test_closing_computes_what_waits_for_company() -> None:
    ways = Ways()
    first = submit(ways.batcher, *range(ENOUGH))
    await asyncio.sleep(0.5)
    late = submit(ways.batcher, 1)
    await asyncio.sleep(0)
    await ways.batcher.close()
    assert await outcomes(first, late) == [[10 * item for item in range(ENOUGH)], [10]]
    assert ways.batcher.depth == 0


@given(
    arrivals=st.lists(
        st.tuples(st.integers(0, 12), st.integers(1, 2 * MAX_BATCH), st.none() | st.integers(1, 6)),
        min_size=1,
        max_size=12,
    ),
    seconds=st.lists(st.integers(1, 5), min_size=1, max_size=6),
    concurrency=st.integers(2, 4),
)
def test_whatever_comes_each_gets_its_answer_and_the_ways_never_mix(
    arrivals: list[tuple[int, int, int | None]], seconds: list[int], concurrency: int
) -> None:
    running: list[str] = []
    batcher = Batcher[int, int](lambda items: run("one", items), max_batch=MAX_BATCH, max_queue=10_000)
    batcher.use_for_throughput(
        lambda items: run("several", items), max_batch=MAX_BATCH, concurrency=concurrency
    )
    durations = cycle(seconds)

    async def run(way: str, items: Sequence[int]) -> list[int]:
        assert 1 <= len(items) <= MAX_BATCH
        running.append(way)
        assert len(set(running)) == 1, "both ways at the same time"
        assert len(running) <= (1 if way == "one" else concurrency)
        await asyncio.sleep(next(durations))
        running.remove(way)
        return [10 * item for item in items]

    async def client(at: int, size: int, patience: int | None) -> None:
        await asyncio.sleep(at)
        deadline = None if patience is None else at + patience
        try:
            answers = await batcher.submit(range(size), deadline=deadline)
        except DeadlineError:
            assert now() == deadline
        else:
            assert answers == [10 * item for item in range(size)]

    async def scenario() -> None:
        await asyncio.gather(*(client(*arrival) for arrival in arrivals))
        await batcher.close()
        assert (batcher.depth, batcher.running) == (0, 0)

    def check_instant() -> None:
        assert running or not batcher.depth, "nothing runs while items wait"
        idle = concurrency - len(running) if "several" in running else 0
        assert not idle or batcher.depth < LEAST_BESIDE, "a free thread while enough waits"

    virtual_clock.run(scenario(), before_jump=check_instant)
