"""So many inferences at a time, a bounded number of requests, all off the event loop."""

import asyncio
import threading

import pytest

from app.batching.thread_pools import OverloadedError, ThreadPools, WorkingTime
from models.preprocessing.stopping import Stop, StoppedError


def test_work_runs_off_the_event_loop_on_its_own_thread() -> None:
    async def scenario() -> tuple[str, str, str]:
        pools = ThreadPools(decode_threads=2, inference_threads=2, max_concurrent_requests=1)
        name = lambda: threading.current_thread().name  # noqa: E731
        names = await pools.decode(name), await pools.infer(name), await pools.infer(name)
        pools.close()
        return names

    decode, first, second = asyncio.run(scenario())
    assert decode.startswith("decode")
    assert first.startswith("inference")
    assert first == second


def test_as_many_inferences_at_a_time_as_there_are_threads() -> None:
    running: list[int] = []
    most = 0
    together = threading.Barrier(2, timeout=60)

    def work() -> None:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        together.wait()
        running.pop()

    async def scenario() -> None:
        pools = ThreadPools(decode_threads=4, inference_threads=2, max_concurrent_requests=8)
        await asyncio.gather(*(pools.infer(work) for _ in range(6)))
        pools.close()

    asyncio.run(scenario())
    assert most == 2


def test_exception_reaches_the_caller() -> None:
    def work() -> None:
        raise KeyError("broken")

    async def scenario() -> None:
        pools = ThreadPools(decode_threads=1, inference_threads=1, max_concurrent_requests=1)
        try:
            await pools.infer(work)
        finally:
            pools.close()

    with pytest.raises(KeyError, match="broken"):
        asyncio.run(scenario())


def test_admission_is_bounded_and_given_back_even_after_a_failure() -> None:
    pools = ThreadPools(decode_threads=1, inference_threads=1, max_concurrent_requests=2)
    with (
        pools.admit(),
        pools.admit(),
        pytest.raises(OverloadedError, match="2 requests"),
        pools.admit(),
    ):
        pytest.fail("admitted beyond the bound")
    with pytest.raises(ZeroDivisionError), pools.admit():
        _ = 1 / 0
    with pools.admit(), pools.admit():
        pass
    pools.close()


def test_the_time_in_which_requests_are_worked_on_is_counted() -> None:
    pools = ThreadPools(decode_threads=1, inference_threads=1, max_concurrent_requests=1)
    with pools.admit():
        start = pools.worked()
        while pools.worked() == start:
            pass
    worked = pools.worked()
    threading.Event().wait(0.01)
    assert pools.worked() == worked > 0
    pools.close()


def test_close_drops_what_waits() -> None:
    async def scenario() -> None:
        pools = ThreadPools(decode_threads=1, inference_threads=1, max_concurrent_requests=8)
        started = threading.Event()
        release = threading.Event()

        def block() -> str:
            started.set()
            release.wait(5)
            return "done"

        running = asyncio.ensure_future(pools.infer(block))
        waiting = asyncio.ensure_future(pools.infer(lambda: pytest.fail("ran after close")))
        await asyncio.to_thread(started.wait, 5)
        threading.Timer(0.05, release.set).start()
        await asyncio.to_thread(pools.close)
        assert await running == "done"
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scenario())


def test_a_request_keeps_its_place_until_its_work_has_ended() -> None:
    """Its client has left, but a thread is still busy for it."""
    release = threading.Event()

    async def scenario() -> tuple[int, int]:
        pools = ThreadPools(decode_threads=1, inference_threads=1, max_concurrent_requests=8)
        started = threading.Event()

        def work() -> None:
            started.set()
            release.wait(10)

        async def request() -> None:
            with pools.admit():
                await pools.decode(work)

        leaving = asyncio.ensure_future(request())
        await asyncio.to_thread(started.wait, 10)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        while_busy = pools.admitted
        release.set()
        await asyncio.to_thread(pools.close)
        return while_busy, pools.admitted

    assert asyncio.run(scenario()) == (1, 0)


def test_work_that_nobody_waits_for_is_told_so() -> None:
    async def scenario() -> tuple[bool, bool]:
        pools = ThreadPools(decode_threads=1, inference_threads=1, max_concurrent_requests=8)
        stop, done = Stop(), Stop()
        await pools.decode(lambda: None, stop=done)

        def work() -> None:
            while not stop.asked:
                pass

        running = pools.decode(work, stop=stop)
        early = stop.asked
        running.cancel()
        await asyncio.to_thread(pools.close)
        return early, stop.asked

    assert asyncio.run(scenario()) == (False, True)


def test_closing_stops_what_runs() -> None:
    async def scenario() -> None:
        pools = ThreadPools(decode_threads=1, inference_threads=1, max_concurrent_requests=8)
        stop = Stop()

        def work() -> None:
            while True:
                stop.check()

        running = pools.decode(work, is_large=True, stop=stop)
        await asyncio.to_thread(pools.close)
        with pytest.raises(StoppedError):
            await running

    asyncio.run(scenario())


def test_small_work_does_not_wait_behind_large() -> None:
    async def scenario() -> str:
        pools = ThreadPools(decode_threads=1, inference_threads=1, max_concurrent_requests=8)
        release = threading.Event()
        large = [pools.decode(lambda: release.wait(10), is_large=True) for _ in range(3)]
        answer = await pools.decode(lambda: "small")
        assert not any(each.done() for each in large)
        release.set()
        await asyncio.gather(*large)
        pools.close()
        return answer

    assert asyncio.run(scenario()) == "small"


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def test_working_time_goes_on_while_there_is_work() -> None:
    clock = Clock()
    worked = WorkingTime(clock)
    assert worked() == 0
    clock.now += 10
    assert worked() == 0
    worked.begin()
    clock.now += 2
    assert worked() == 2
    worked.begin()
    clock.now += 1
    worked.end()
    assert worked() == 3
    clock.now += 4
    worked.end()
    clock.now += 60
    assert worked() == 7
    worked.begin()
    clock.now += 1
    assert worked() == 8
