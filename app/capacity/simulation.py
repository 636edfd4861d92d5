"""A replica as a queue: requests that arrive at random, an event loop, and batches as the batcher forms them.

The event loop does one piece of work after the other: what comes before the engine, and the response after
it. The engine runs batches as the batcher has them run: one at a time, or where enough images wait, as many
side by side as it can, or always as many as it has streams. An engine that computes on the processor shares
the cores evenly with the loop where both have work. In a crowd, an image takes another time than alone: by as
much as makes the rate at full load the measured one.
"""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, TypeAlias

from app.batching.side_by_side import LEAST_TOGETHER, sizes_side_by_side
from app.capacity.profile import Profile, between

BEFORE = 0.6
"""The share of the event loop's work on a request that comes before the engine."""

CROWD = 2 * LEAST_TOGETHER
"""So many requests at a time take another time each than one alone."""

REQUESTS = 20_000
STEPS = 500
"""Into which the distribution of times is divided."""


class Replica:
    """Simulates requests of one image each to one replica."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.engine_seconds = [profile.engine_seconds(size) for size in range(profile.max_batch + 1)]
        self.jitter = [between(profile.jitter, (step + 0.5) / STEPS) for step in range(STEPS)]
        mean = fmean(self.jitter)
        loop = profile.loop_seconds * mean
        each = self.engine_seconds[-1] / profile.max_batch * mean
        full = 1 / profile.images_per_second
        if profile.computes_on_cores:
            used = loop + profile.cores_of_a_batch * each
            self.loop_factor = self.engine_factor = profile.cores * full / used
        else:
            # One of the two was never idle.
            self.loop_factor = full / loop if loop > each / profile.concurrency else 1.0
            self.engine_factor = (
                1.0 if loop > each / profile.concurrency else profile.concurrency * full / each
            )

    def latencies(self, rate: float, requests: int = REQUESTS, seed: int = 0) -> list[float]:
        """Seconds from arrival to response of so many requests, which arrive at `rate` a second (Poisson).

        Raises `ValueError` for a rate that is not positive.
        """
        if rate <= 0:
            raise ValueError(f"the rate is {rate:g}; it must be positive")
        chance = random.Random(seed)
        at, arrivals = 0.0, []
        for _ in range(requests):
            at += chance.expovariate(rate)
            arrivals.append(at)
        return _Run(self, arrivals, chance).latencies()

    def p99(self, rate: float, requests: int = REQUESTS, seed: int = 0) -> float:
        """The 99th percentile of `latencies`, in seconds."""
        ordered = sorted(self.latencies(rate, requests, seed))
        return ordered[int(0.99 * len(ordered))]

    def highest_rate(self, p99: float) -> float:
        """The most requests a second whose 99th percentile is at most `p99` seconds; 0 if there is none."""
        low, high = 0.0, self.profile.images_per_second
        while high - low > 0.005 * self.profile.images_per_second:
            middle = (low + high) / 2
            low, high = (middle, high) if self.p99(middle) <= p99 else (low, middle)
        return low


Kind: TypeAlias = Literal["before", "engine", "after"]


@dataclass(slots=True, eq=False)
class _Work:
    """A piece of work that runs, and the requests that it is for."""

    kind: Kind
    requests: list[int]
    left: float
    """Seconds that it still takes where it has its cores for itself."""
    cores: int
    """Of the processor; 0 for what computes elsewhere."""


class _Run:
    """One simulation, from the first arrival to the last response."""

    def __init__(self, replica: Replica, arrivals: Sequence[float], chance: random.Random) -> None:
        self._replica, self._profile = replica, replica.profile
        self._arrivals, self._chance = arrivals, chance
        self._for_loop = deque[tuple[Literal["before", "after"], int]]()
        self._for_engine = deque[int]()
        self._running: list[_Work] = []
        self._cores_wanted = 0
        self._batches = 0
        self._is_side_by_side = False
        self._present = 0
        """Requests that have arrived and have no response yet."""

    def latencies(self) -> list[float]:
        arrivals, running, cores = self._arrivals, self._running, self._profile.cores
        latencies = [0.0] * len(arrivals)
        now, arrived = 0.0, 0
        while arrived < len(arrivals) or running:
            speed = cores / self._cores_wanted if self._cores_wanted > cores else 1.0
            done: _Work | None = None
            passes = arrivals[arrived] - now if arrived < len(arrivals) else float("inf")
            for work in running:
                if (takes := work.left / speed if work.cores else work.left) < passes:
                    done, passes = work, takes
            for work in running:
                work.left -= passes * speed if work.cores else passes
            now += passes
            if done is None:
                self._for_loop.append(("before", arrived))
                self._present += 1
                arrived += 1
            else:
                running.remove(done)
                self._cores_wanted -= done.cores
                if done.kind == "after":
                    (request,) = done.requests
                    latencies[request] = now - arrivals[request] + self._profile.delay_seconds
                    self._present -= 1
                else:
                    self._pass_on(done)
            self._start()
        return latencies

    def _pass_on(self, work: _Work) -> None:
        """To what comes next for the requests of `work`, which is done."""
        if work.kind == "engine":
            self._batches -= 1
            self._for_loop.extend(("after", request) for request in work.requests)
        else:
            self._for_engine.extend(work.requests)

    def _start(self) -> None:
        """Start all that waits and that nothing stands in the way of."""
        if self._for_loop and len(self._running) == self._batches:
            kind, request = self._for_loop.popleft()
            share = BEFORE if kind == "before" else 1 - BEFORE
            self._run(kind, [request], share * self._profile.loop_seconds, cores=1)
        for size in self._next_sizes() if self._for_engine else ():
            if not self._for_engine:
                return
            batch = [self._for_engine.popleft() for _ in range(min(size, len(self._for_engine)))]
            seconds, cores = self._replica.engine_seconds[len(batch)], self._profile.cores_of_a_batch
            if cores and self._is_side_by_side:
                cores = max(1, self._profile.cores // self._profile.concurrency)
                seconds *= self._profile.cores / cores
            self._batches += 1
            self._run("engine", batch, seconds, cores)

    def _run(self, kind: Kind, requests: list[int], seconds: float, cores: int) -> None:
        """Start work that takes so many seconds as a rule, where it is alone."""
        left = seconds * self._chance.choice(self._replica.jitter)
        if self._present >= CROWD:
            left *= self._replica.engine_factor if kind == "engine" else self._replica.loop_factor
        self._running.append(_Work(kind, requests, left, cores))
        self._cores_wanted += cores

    def _next_sizes(self) -> list[int]:
        """The largest size of each batch that starts now, as `Batcher` has them."""
        waiting, concurrency = len(self._for_engine), self._profile.concurrency
        if self._profile.streams > 1:
            return [self._profile.max_batch] * (self._profile.streams - self._batches)
        if not self._batches:
            self._is_side_by_side = concurrency > 1 and waiting >= 2 * LEAST_TOGETHER
        if self._is_side_by_side:
            return sizes_side_by_side(waiting, self._batches, self._profile.max_batch, concurrency)
        return [] if self._batches else [self._profile.max_batch]
