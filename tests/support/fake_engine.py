"""An engine for the tests of the batcher, and clients that submit to it."""

import asyncio
from typing import Any

from app.batching.batcher import Batcher


class Engine:
    """Answers an item with ten times the item, a second after its batch was started."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.ended = 0

    async def run(self, items: list[int]) -> list[int]:
        self.batches.append(items)
        await asyncio.sleep(1)
        self.ended += 1
        return self.answer(items)

    def answer(self, items: list[int]) -> list[int]:
        return [10 * item for item in items]


class BrokenEngine(Engine):
    """Fails where a batch contains an odd item."""

    def answer(self, items: list[int]) -> list[int]:
        if any(item % 2 for item in items):
            raise KeyError("broken")
        return super().answer(items)


def now() -> float:
    return asyncio.get_running_loop().time()


def submit(batcher: Batcher[int, int], *items: int, deadline: float | None = None) -> asyncio.Task[list[int]]:
    """A client that submits `items` when the loop next comes round."""
    return asyncio.ensure_future(batcher.submit(items, deadline=deadline))


async def outcomes(*tasks: asyncio.Task[list[int]]) -> list[Any]:
    return await asyncio.gather(*tasks, return_exceptions=True)
