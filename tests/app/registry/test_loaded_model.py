"""A model stays until the last request that uses it is answered."""

import asyncio
from typing import cast

import numpy as np
import pytest

from app.batching.batch_errors import ClosedError
from app.batching.batcher import Batcher
from app.batching.scores import Scores
from app.registry.loaded_model import LoadedModel
from app.registry.served_model import Pixels, ServedModel
from tests.support.virtual_clock import on_virtual_clock

SCORES = Scores([0], [1.0], 0.001, 0.0, 1)
IMAGE = np.zeros((3, 32, 32), np.uint8)


async def _run(images: list[Pixels]) -> list[Scores]:
    await asyncio.sleep(0.1)
    return [SCORES] * len(images)


def _loaded() -> LoadedModel:
    return LoadedModel(cast("ServedModel", None), Batcher(_run, max_batch=4, max_queue=8))


@on_virtual_clock
async def test_it_retires_when_no_request_uses_it() -> None:
    loaded = _loaded()
    with loaded:
        with loaded:
            retired = asyncio.create_task(loaded.retire())
            await asyncio.sleep(1)
        await asyncio.sleep(1)
        assert not retired.done()
        assert await loaded.batcher.submit([IMAGE]) == [SCORES]
        assert not retired.done()
    await retired
    with pytest.raises(ClosedError):
        await loaded.batcher.submit([IMAGE])


@on_virtual_clock
async def test_a_request_that_fails_uses_it_no_more() -> None:
    loaded = _loaded()
    with pytest.raises(ValueError, match="damaged"), loaded:
        raise ValueError("damaged")
    await asyncio.wait_for(loaded.retire(), 10)
