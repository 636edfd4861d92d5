"""The simulated replica batches as the real batcher does, and queues as theory says."""

import asyncio
import random
from statistics import fmean

import pytest

from app.batching.batcher import Batcher
from app.capacity.profile import Profile
from app.capacity.simulation import Replica, _Run
from tests.support import virtual_clock

BATCHES = {1: 0.004, 4: 0.008, 16: 0.02}
INSTANT = 1e-9


def profile(
    batches: dict[int, float],
    rate: float | None = None,
    loop: float = INSTANT,
    cores: int = 1,
    device: str = "cpu",
    streams: int = 1,
) -> Profile:
    """A replica whose times never vary; by default its engine is as fast at full load as alone."""
    largest = max(batches)
    return Profile(
        machine="some",
        model="some 1",
        cores=cores,
        loop_seconds=loop,
        delay_seconds=INSTANT,
        batch_seconds=batches,
        jitter={0.5: 1},
        images_per_second=rate or largest / batches[largest],
        request_bytes=1000,
        response_bytes=500,
        concurrency=cores,
        device=device,
        streams=streams,
    )


@pytest.mark.parametrize("load", [0.2, 0.5, 0.9])
@pytest.mark.parametrize(("cores", "streams"), [(1, 1), (2, 1), (3, 1), (3, 3)])
def test_it_batches_as_the_batcher_does(load: float, cores: int, streams: int) -> None:
    """The same arrivals and the same engine give every request the same latency."""
    full = streams * 16 / BATCHES[16]
    replica = Replica(profile(BATCHES, rate=full, cores=cores, streams=streams))
    rate, requests = load * replica.profile.images_per_second, 1500

    async def served() -> list[float]:
        async def run(items: list[int]) -> list[int]:
            await asyncio.sleep(replica.profile.engine_seconds(len(items)))
            return items

        async def run_on_one_core(items: list[int]) -> list[int]:
            await asyncio.sleep(cores * replica.profile.engine_seconds(len(items)))
            return items

        batcher = Batcher[int, int](run, max_batch=16, max_queue=requests, concurrency=streams)
        if cores > 1 and streams == 1:
            batcher.use_for_throughput(run_on_one_core, max_batch=16, concurrency=cores)
        loop, chance = asyncio.get_running_loop(), random.Random(7)

        async def ask(number: int) -> float:
            arrived = loop.time()
            await batcher.submit([number])
            return loop.time() - arrived

        tasks = []
        for number in range(requests):
            await asyncio.sleep(chance.expovariate(rate))
            tasks.append(asyncio.create_task(ask(number)))
        return await asyncio.gather(*tasks)

    assert replica.latencies(rate, requests, seed=7) == pytest.approx(virtual_clock.run(served()), abs=1e-5)


def test_one_image_at_a_time_waits_as_long_as_the_formula_says() -> None:
    """The mean of an M/D/1 queue at load r, in service times: 1 + r / (2 (1 - r)), as Pollaczek found."""
    replica = Replica(profile({1: 0.01}))
    for load in (0.3, 0.7):
        mean = fmean(replica.latencies(load / 0.01, 40_000))
        assert mean == pytest.approx(0.01 * (1 + load / (2 * (1 - load))), rel=0.05)


@pytest.mark.parametrize("cores", [1, 2])
@pytest.mark.parametrize("loop", [INSTANT, 0.0005])
@pytest.mark.parametrize("rate", [400, 900])
def test_at_full_load_it_answers_as_many_as_were_measured(rate: int, loop: float, cores: int) -> None:
    """Whether that is more or fewer than loop and engine would alone."""
    replica = Replica(profile(BATCHES, rate=rate, loop=loop, cores=cores))
    latencies = replica.latencies(10 * rate, 10 * rate)
    assert 10 * rate / (1 + max(latencies)) == pytest.approx(rate, rel=0.05)


@pytest.mark.parametrize(("cores", "seconds"), [(1, 0.014), (2, 0.013)])
def test_loop_and_engine_share_the_cores_evenly(cores: int, seconds: float) -> None:
    """Alone, the first request takes 2 ms of the loop and 10 of the engine: 12 ms.

    Beside its batch the loop works 1.2 ms on the second request, and beside its response, 0.8 ms, runs the
    next batch. One core that two share is half as fast, and two that three want are two thirds as fast.
    """
    replica = Replica(profile({1: 0.01}, loop=0.002, cores=cores))
    assert _Run(replica, [0.0, 0.005], random.Random(0)).latencies()[0] == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    ("rate", "loop"),
    [(700, 0.0005), (900, 0.0005), (300, 0.003), (400, 0.003)],
    ids=["slower engine", "faster engine", "slower loop", "faster loop"],
)
def test_at_full_load_beside_an_accelerator_too(rate: int, loop: float) -> None:
    replica = Replica(profile(BATCHES, rate=rate, loop=loop, device="cuda:0"))
    latencies = replica.latencies(10 * rate, 10 * rate)
    assert 10 * rate / (1 + max(latencies)) == pytest.approx(rate, rel=0.05)


def test_an_accelerator_takes_none_of_the_loops_core() -> None:
    replica = Replica(profile({1: 0.01}, loop=0.002, device="cuda:0"))
    assert _Run(replica, [0.0, 0.005], random.Random(0)).latencies() == pytest.approx(
        [0.012, 0.0170], abs=1e-6
    )


def test_more_load_is_slower_and_the_highest_rate_keeps_the_bound() -> None:
    replica = Replica(profile(BATCHES, loop=0.0005))
    times = [replica.p99(rate) for rate in (50, 300, 600, 750)]
    assert times == sorted(times)
    highest = replica.highest_rate(0.05)
    assert replica.p99(highest) <= 0.05 < replica.p99(1.05 * highest)


def test_a_bound_below_one_batch_is_never_kept() -> None:
    assert Replica(profile(BATCHES)).highest_rate(0.003) == 0


def test_a_rate_must_be_positive() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        Replica(profile(BATCHES)).latencies(0)
