"""Batches, turns, answers and failures, a sentence at a time. test_batcher_queue.py has what never runs, and
test_batcher_schedules.py a mixture of everything."""

import asyncio
from collections.abc import Awaitable

import pytest

from app.batching.batch_errors import ClosedError
from app.batching.batcher import Batcher
from tests.support.fake_engine import BrokenEngine, Engine, now, outcomes, submit
from tests.support.virtual_clock import on_virtual_clock


@on_virtual_clock
async def test_a_lone_item_starts_at_once() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=8, max_queue=8)
    assert await batcher.submit([7]) == [70]
    assert now() == 1  # the run alone


@on_virtual_clock
async def test_submissions_of_one_loop_iteration_share_a_batch() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=8, max_queue=8)
    assert await outcomes(submit(batcher, 1), submit(batcher, 2, 3)) == [[10], [20, 30]]
    assert engine.batches == [[1, 2, 3]]


@on_virtual_clock
async def test_items_gather_while_a_batch_runs_up_to_the_limit() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=3, max_queue=8)
    first = submit(batcher, 1)
    await asyncio.sleep(0.5)
    rest = [submit(batcher, item) for item in (2, 3, 4, 5)]
    await asyncio.sleep(0)
    assert (batcher.depth, batcher.running) == (4, 1)
    assert await outcomes(first, *rest) == [[10], [20], [30], [40], [50]]
    assert now() == 3
    assert (batcher.depth, batcher.running) == (0, 0)
    assert engine.batches == [[1], [2, 3, 4], [5]]


@on_virtual_clock
async def test_as_many_batches_run_at_a_time_as_stated() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=2, max_queue=8, concurrency=2)
    waiting = submit(batcher, 1, 2, 3, 4, 5, 6)
    await asyncio.sleep(0.5)
    assert (batcher.depth, batcher.running) == (2, 2)
    assert await waiting == [10, 20, 30, 40, 50, 60]
    assert now() == 2
    assert engine.batches == [[1, 2], [3, 4], [5, 6]]


@on_virtual_clock
async def test_answers_that_come_out_of_turn_are_put_in_order() -> None:
    async def slower_for_smaller(items: list[int]) -> list[int]:
        await asyncio.sleep(10 - items[0])
        return [10 * item for item in items]

    batcher = Batcher(slower_for_smaller, max_batch=1, max_queue=8, concurrency=3)
    assert await batcher.submit([1, 2, 3]) == [10, 20, 30]


@on_virtual_clock
async def test_nothing_submitted_is_nothing_answered() -> None:
    engine = Engine()
    assert await Batcher(engine.run, max_batch=1, max_queue=1).submit([]) == []
    assert engine.batches == []


@on_virtual_clock
async def test_a_large_submission_does_not_hold_back_single_items_behind_it() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=4, max_queue=512)
    large = submit(batcher, *range(256))
    await asyncio.sleep(0.5)
    single = [submit(batcher, item) for item in (1000, 1001)]
    assert await outcomes(*single) == [[10000], [10010]]
    assert now() == 2
    assert await large == [10 * item for item in range(256)]
    assert engine.batches[:3] == [[0, 1, 2, 3], [4, 1000, 1001, 5], [6, 7, 8, 9]]


@on_virtual_clock
async def test_submissions_take_turns_in_the_order_of_their_arrival() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=4, max_queue=16)
    await outcomes(submit(batcher, 10, 11, 12, 13), submit(batcher, 20, 21), submit(batcher, 30, 31, 32))
    assert engine.batches == [[10, 20, 30, 11], [21, 31, 12, 32], [13]]


@on_virtual_clock
async def test_a_failed_batch_fails_its_own_submissions_and_drops_the_rest_of_them() -> None:
    engine = BrokenEngine()
    batcher = Batcher(engine.run, max_batch=2, max_queue=16)
    results = await outcomes(submit(batcher, 1, 2, 4), submit(batcher, 6, 8), submit(batcher, 10, 12))
    assert [repr(results[0]), repr(results[1])] == ["KeyError('broken')"] * 2
    assert results[2] == [100, 120]
    assert (batcher.depth, now()) == (0, 2)
    assert engine.batches == [[1, 6], [10, 12]]


@on_virtual_clock
async def test_a_run_that_raises_before_it_can_be_awaited_fails_its_batch_alone() -> None:
    engine = Engine()

    def run(items: list[int]) -> Awaitable[list[int]]:
        if items == [1]:
            raise KeyError("broken")
        return engine.run(items)

    batcher = Batcher(run, max_batch=1, max_queue=16)
    results = await outcomes(submit(batcher, 1), submit(batcher, 2))
    assert [repr(results[0]), results[1]] == ["KeyError('broken')", [20]]


@pytest.mark.parametrize("results", [[], [10], [10, 20, 30]], ids=["none", "too few", "too many"])
@on_virtual_clock
async def test_a_run_with_the_wrong_number_of_results_fails(results: list[int]) -> None:
    async def run(_: list[int]) -> list[int]:
        return results

    batcher = Batcher(run, max_batch=2, max_queue=16)
    for error in await outcomes(submit(batcher, 1), submit(batcher, 2)):
        assert isinstance(error, RuntimeError)
        assert str(error) == f"a batch of 2 items gave {len(results)} results"
    assert (batcher.depth, batcher.running) == (0, 0)


@on_virtual_clock
async def test_a_run_that_is_cancelled_from_elsewhere_fails_and_cancels_no_client() -> None:
    async def run(_: list[int]) -> list[int]:
        raise asyncio.CancelledError

    batcher = Batcher(run, max_batch=2, max_queue=16)
    with pytest.raises(RuntimeError, match="the batch was cancelled while it ran"):
        await batcher.submit([1])
    assert batcher.running == 0


@on_virtual_clock
async def test_waiting_takes_no_task_but_the_client_s_own() -> None:
    def run(_: list[int]) -> asyncio.Future[list[int]]:
        return asyncio.get_running_loop().create_future()

    batcher = Batcher(run, max_batch=2, max_queue=16)
    clients = [submit(batcher, item) for item in range(10)]
    await asyncio.sleep(1)
    assert (batcher.depth, batcher.running) == (8, 1)
    assert len(asyncio.all_tasks()) == len(clients) + 1  # this test


@on_virtual_clock
async def test_close_refuses_new_work_and_finishes_what_is_there() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=2, max_queue=16)
    task = submit(batcher, 1, 2, 3, 4, 5)
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(batcher.close())
    await asyncio.sleep(0)
    with pytest.raises(ClosedError, match="closed"):
        await batcher.submit([6])
    await closing
    assert (now(), batcher.depth, batcher.running) == (3, 0, 0)
    assert await task == [10, 20, 30, 40, 50]
    await batcher.close()
    assert engine.batches == [[1, 2], [3, 4], [5]]


@on_virtual_clock
async def test_each_batch_is_reported_with_its_size() -> None:
    reported: list[int] = []
    batcher = Batcher(Engine().run, max_batch=2, max_queue=9, on_batch=reported.append)
    tasks = [submit(batcher, 1)]
    for item in (2, 3, 4):
        await asyncio.sleep(0.25)
        tasks.append(submit(batcher, item))
    await outcomes(*tasks)
    assert reported == [1, 2, 1]


@pytest.mark.parametrize("name", ["max_batch", "max_queue", "concurrency"])
def test_a_limit_below_1_is_refused(name: str) -> None:
    limit = {"max_batch": 1, "max_queue": 1, "concurrency": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name} is 0; it must be at least 1"):
        Batcher(
            Engine().run,
            max_batch=limit["max_batch"],
            max_queue=limit["max_queue"],
            concurrency=limit["concurrency"],
        )
