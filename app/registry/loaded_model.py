"""A model in service: the batcher in front of it, and the requests that use it."""

import asyncio
from types import TracebackType

from app.batching.batcher import Batcher
from app.batching.result_cache import ResultCache
from app.batching.scores import Scores
from app.registry.served_model import Pixels, ServedModel


class LoadedModel:
    """Entered by every request for as long as it uses the model, so that none loses it on its way."""

    def __init__(
        self, model: ServedModel, batcher: Batcher[Pixels, Scores], cache: ResultCache | None = None
    ) -> None:
        self.model = model
        self.batcher = batcher
        self.cache = cache
        self._uses = 0
        self._unused = asyncio.Event()
        self._unused.set()

    def __enter__(self) -> "LoadedModel":
        self._uses += 1
        self._unused.clear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._uses -= 1
        if not self._uses:
            self._unused.set()

    async def retire(self) -> None:
        """Return when no request uses the model any more; for one that new requests do not find."""
        await self._unused.wait()
        await self.batcher.close()
