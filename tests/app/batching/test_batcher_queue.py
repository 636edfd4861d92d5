"""What is refused, expires or is cancelled: it ends at once, gives back its places, and costs nothing."""

import asyncio
import re

import pytest

from app.batching.batch_errors import DeadlineError, QueueFullError
from app.batching.batcher import Batcher
from tests.support import virtual_clock
from tests.support.fake_engine import BrokenEngine, Engine, now, outcomes, submit
from tests.support.virtual_clock import on_virtual_clock


@on_virtual_clock
async def test_a_submission_that_does_not_fit_is_refused_whole_and_at_once() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=4, max_queue=4)
    accepted = [submit(batcher, 1), submit(batcher, 2, 3, 4)]
    await asyncio.sleep(0.5)
    accepted.append(submit(batcher, 5, 6, 7))
    await asyncio.sleep(0)
    with pytest.raises(QueueFullError, match="3 items wait already, 2 more") as refused:
        await batcher.submit([8, 9])
    assert (refused.value.count, refused.value.depth, refused.value.limit) == (2, 3, 4)
    assert (batcher.depth, now()) == (3, 0.5)
    assert await outcomes(*accepted, submit(batcher, 10)) == [[10], [20, 30, 40], [50, 60, 70], [100]]


@on_virtual_clock
async def test_a_submission_larger_than_the_queue_is_told_so() -> None:
    batcher = Batcher(Engine().run, max_batch=8, max_queue=4)
    with pytest.raises(QueueFullError, match="5 items at once never fit, the queue holds 4"):
        await batcher.submit([1, 2, 3, 4, 5])


@on_virtual_clock
async def test_nothing_is_refused_for_items_that_a_free_slot_can_take() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=2, max_queue=2, concurrency=2)
    tasks = [submit(batcher, item) for item in range(7)]
    results = await outcomes(*tasks)
    assert results[:6] == [[0], [10], [20], [30], [40], [50]]
    assert isinstance(results[6], QueueFullError)
    assert engine.batches == [[0, 1], [2, 3], [4, 5]]


@on_virtual_clock
async def test_a_deadline_that_passes_while_waiting_ends_the_wait_then_and_costs_nothing() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=1, max_queue=2)
    first = submit(batcher, 1)
    await asyncio.sleep(0.25)
    message = "the deadline passed waiting for a batch, 0.250 s after this was asked for"
    with pytest.raises(DeadlineError, match=re.escape(message)) as error:
        await batcher.submit([2, 3], deadline=0.5)
    assert (error.value.where, error.value.seconds, now(), batcher.depth) == ("waiting", 0.25, 0.5, 0)
    assert await first == [10]
    await asyncio.sleep(10)
    assert engine.batches == [[1]]


@on_virtual_clock
async def test_a_deadline_that_passes_while_running_ends_the_wait_but_not_the_run() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=2, max_queue=2)
    other = submit(batcher, 1)
    message = "the deadline passed running in a batch, 0.750 s after this was asked for"
    with pytest.raises(DeadlineError, match=re.escape(message)) as error:
        await batcher.submit([2], deadline=0.75)
    assert (error.value.where, now(), batcher.running) == ("running", 0.75, 1)
    assert await other == [10]
    assert (engine.batches, engine.ended) == ([[2, 1]], 1)


@on_virtual_clock
async def test_a_deadline_that_passed_while_the_loop_was_busy_is_seen_before_a_batch_starts() -> None:
    """The start is on the loop's list before the timer, which is due only after the loop was held up."""
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=2, max_queue=2)
    late, other = submit(batcher, 1, deadline=0.5), submit(batcher, 2)
    asyncio.get_running_loop().call_soon(virtual_clock.block, 1)
    results = await outcomes(late, other)
    assert isinstance(results[0], DeadlineError)
    assert (results[0].where, results[0].seconds) == ("waiting", 1)
    assert results[1] == [20]
    assert engine.batches == [[2]]


@on_virtual_clock
async def test_a_deadline_at_the_instant_a_slot_becomes_free_has_passed() -> None:
    """Both happen at 1 s, the end of the run first: its timer was set first."""
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=2, max_queue=2)
    first = submit(batcher, 1)
    await asyncio.sleep(0.5)
    late, after = submit(batcher, 2, deadline=1), submit(batcher, 3)
    results = await outcomes(first, late, after)
    assert [results[0], results[2]] == [[10], [30]]
    assert isinstance(results[1], DeadlineError)
    assert results[1].where == "waiting"
    assert engine.batches == [[1], [3]]


@on_virtual_clock
async def test_a_deadline_that_has_passed_already_is_refused() -> None:
    engine = Engine()
    await asyncio.sleep(1)
    with pytest.raises(DeadlineError):
        await Batcher(engine.run, max_batch=1, max_queue=1).submit([1], deadline=1)
    assert engine.batches == []


def test_a_deadline_that_is_kept_leaves_no_timer_behind() -> None:
    jumps: list[float] = []

    async def main() -> None:
        batcher = Batcher(Engine().run, max_batch=1, max_queue=1)
        assert await batcher.submit([1], deadline=5) == [10]
        await asyncio.sleep(9)
        jumps.append(now())

    virtual_clock.run(main(), lambda: jumps.append(now()))
    assert jumps == [0, 1, 10]  # the run, the sleep, the end; a jump to 5 would have stopped there


@on_virtual_clock
async def test_a_cancelled_submission_is_dropped_and_frees_its_places() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=4, max_queue=2)
    first = submit(batcher, 1)
    await asyncio.sleep(0.5)
    gone = submit(batcher, 2, 3)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.sleep(0)
    assert (gone.cancelled(), batcher.depth) == (True, 0)
    assert await outcomes(first, submit(batcher, 4, 5)) == [[10], [40, 50]]
    assert engine.batches == [[1], [4, 5]]


@on_virtual_clock
async def test_a_submission_cancelled_just_before_a_batch_starts_is_not_in_it() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=4, max_queue=4)
    tasks = submit(batcher, 1), submit(batcher, 2)
    asyncio.get_running_loop().call_soon(tasks[0].cancel)  # after the submission, before the start
    await outcomes(*tasks)
    assert engine.batches == [[2]]


@on_virtual_clock
async def test_cancelling_the_only_submission_of_a_batch_does_not_cancel_its_run() -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=4, max_queue=4)
    task = submit(batcher, 1)
    await asyncio.sleep(0.5)
    task.cancel()
    await batcher.close()
    assert now() == 1
    assert engine.ended == 1


@pytest.mark.parametrize("by", ["cancellation", "deadline"])
@on_virtual_clock
async def test_what_of_a_part_running_submission_still_waits_is_dropped(by: str) -> None:
    engine = Engine()
    batcher = Batcher(engine.run, max_batch=2, max_queue=8)
    part = submit(batcher, 1, 2, 3, 4, 5, deadline=0.5 if by == "deadline" else None)
    await asyncio.sleep(0.5)
    if by == "cancellation":
        part.cancel()
    (outcome,) = await outcomes(part)
    assert isinstance(outcome, asyncio.CancelledError if by == "cancellation" else DeadlineError)
    assert (batcher.depth, batcher.running) == (0, 1)
    assert await batcher.submit([6]) == [60]
    assert engine.batches == [[1, 2], [6]]


@on_virtual_clock
async def test_a_failure_that_nobody_waits_for_any_more_is_not_left_over() -> None:
    batcher = Batcher(BrokenEngine().run, max_batch=2, max_queue=16)
    with pytest.raises(DeadlineError):
        await batcher.submit([1], deadline=0.5)
    await batcher.close()
