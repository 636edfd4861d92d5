"""What the routes share: the settings, the threads, the model with its batcher, and the metrics."""

import math
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from torch import Tensor

from app.batcher import Batcher
from app.errors import ApiError
from app.metrics import Metrics
from app.model_store import Scores, ServedModel
from app.settings import Settings
from app.throughput import Throughput
from app.workers import Workers

LONGEST_RETRY_AFTER = 60
"""Seconds. A rate so low is more likely the end of a pause than what is to come."""


@dataclass(frozen=True)
class Service:
    settings: Settings
    workers: Workers
    model: ServedModel
    batcher: Batcher[Tensor, Scores]
    metrics: Metrics
    throughput: Throughput

    @property
    def is_full(self) -> bool:
        """Whether the next request would be turned away."""
        return self.workers.is_full or self.batcher.depth >= self.settings.max_queue

    def retry_after(self) -> int:
        """Whole seconds, 1..60, until what is to be done now will be done, at the rate of late."""
        waiting = max(self.workers.admitted, self.batcher.depth)
        rate = self.throughput.per_second()
        return min(max(math.ceil(waiting / rate), 1), LONGEST_RETRY_AFTER) if rate else 1

    def find(self, name: str, version: str | None = None) -> ServedModel:
        """The model of this name, and of this version if one is given. Raises `ApiError` 404."""
        served = self.model.metadata
        if name != served.name:
            message = f"there is no model {name!r}; choose from {served.name}"
            raise ApiError(404, "unknown_model", message, "name")
        if version not in (None, served.version):
            message = f"there is no version {version!r} of {name}; choose from {served.version}"
            raise ApiError(404, "unknown_version", message, "version")
        return self.model


# Asynchronous though it waits for nothing: FastAPI would run any other function on a thread.
async def get_service(request: Request) -> Service:
    """The running service; raises `ApiError` 503 before it is warm and once it is being stopped."""
    service: Service | None = request.app.state.service
    if service is None:
        raise ApiError(503, "not_ready", "the model is not loaded", headers={"Retry-After": "1"})
    return service


ReadyService = Annotated[Service, Depends(get_service)]
"""The type of a route's parameter that receives the running service."""
