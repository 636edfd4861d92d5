"""A replica as a queue: requests that arrive at random, an event loop, and batches as the batcher forms them.

The event loop does one piece of work after the other: what comes before the engine, and the response after
it. The engine takes one batch at a time, of all images that wait, up to the largest. Both share the cores:
the more there is to do, the slower is the engine, and at full load it is as slow as was measured.
"""

import random
from collections import deque
from heapq import heappop, heappush
from statistics import fmean
from typing import Literal

from app.capacity.profile import Profile, between

BEFORE = 0.6
"""The share of the event loop's work on a request that comes before the engine."""

REQUESTS = 20_000
STEPS = 500
"""Into which the distribution of times is divided."""

Event = Literal["arrival", "loop", "engine"]


class Replica:
    """Simulates requests of one image each to one replica."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._engine = [profile.engine_seconds(size) for size in range(profile.max_batch + 1)]
        self._jitter = [between(profile.jitter, (step + 0.5) / STEPS) for step in range(STEPS)]
        # At full load every batch is full, and the loop works beside the engine.
        seconds_each = 1 / profile.images_per_second
        alone = self._engine[-1] / profile.max_batch * fmean(self._jitter)
        self._slowdown = seconds_each / alone - 1
        self._loop = min(profile.loop_seconds, seconds_each)

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
        load = min(rate / self.profile.images_per_second, 1.0)
        return self._run(arrivals, 1 + self._slowdown * load, chance)

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

    def _run(self, arrivals: list[float], slowdown: float, chance: random.Random) -> list[float]:
        events: list[tuple[float, int, Event, list[int]]] = [
            (at, number, "arrival", [number]) for number, at in enumerate(arrivals)
        ]
        loop, images, is_answered = deque[int](), deque[int](), [False] * len(arrivals)

        loop_is_busy = engine_is_busy = False
        latencies = [0.0] * len(arrivals)
        order = len(arrivals)
        while events:
            now, _, kind, requests = heappop(events)
            if kind == "arrival":
                loop.extend(requests)
            elif kind == "engine":
                engine_is_busy = False
                for request in requests:
                    is_answered[request] = True
                loop.extend(requests)
            else:
                loop_is_busy = False
                (request,) = requests
                if is_answered[request]:
                    latencies[request] = now - arrivals[request] + self.profile.delay_seconds
                else:
                    images.append(request)
            if loop and not loop_is_busy:
                loop_is_busy = True
                request = loop.popleft()
                share = 1 - BEFORE if is_answered[request] else BEFORE
                order += 1
                took = share * self._loop * chance.choice(self._jitter)
                heappush(events, (now + took, order, "loop", [request]))
            if images and not engine_is_busy:
                engine_is_busy = True
                batch = [images.popleft() for _ in range(min(len(images), self.profile.max_batch))]
                order += 1
                took = self._engine[len(batch)] * slowdown * chance.choice(self._jitter)
                heappush(events, (now + took, order, "engine", batch))
        return latencies
