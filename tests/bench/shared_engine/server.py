"""The service with its engine in another process: `python -m tests.bench.shared_engine.server serve`.

`SHARED_ENGINE` names the socket of `tests.bench.shared_engine.process`.
"""

import os
import sys
from multiprocessing.connection import Client, Connection
from pathlib import Path
from queue import SimpleQueue
from uuid import uuid4

import numpy as np

from app import __main__
from models import engines
from models.artifact.store import Artifact
from models.engines import EngineOptions, Floats, Images, Precision
from tests.bench.shared_engine.block import MOST_IMAGES, Block, Shape

VARIABLE = "SHARED_ENGINE"
IN_FLIGHT = 2
"""Batches of a front end: one is computed while the next is on its way."""


class SharedEngine:
    """Hands batches of bytes over to the engine's process, and waits for what comes of them."""

    name = "shared"
    version = "0"
    device = "cpu"
    precision: Precision = "int8"
    concurrency = IN_FLIGHT
    max_batch: int | None = MOST_IMAGES

    def __init__(self, artifact: Artifact, options: EngineOptions) -> None:  # noqa: ARG002
        about = artifact.metadata
        shape = Shape(about.in_channels, about.input_size, len(about.classes), artifact.facts.features or 0)
        address = os.environ[VARIABLE]
        self._free: SimpleQueue[tuple[Connection, Block]] = SimpleQueue()
        for _ in range(IN_FLIGHT):
            file = Path(f"{address}.{uuid4().hex}")
            block = Block(file, shape)
            connection = Client(address, "AF_UNIX")
            connection.send(str(file))
            connection.recv()
            file.unlink()  # both have mapped it
            self._free.put((connection, block))

    def for_throughput(self) -> None:
        """Nothing to gain."""

    def predict(self, images: Images) -> Floats:
        return self.predict_with_features(images)[0]

    def predict_with_features(self, images: Images) -> tuple[Floats, Floats]:
        if images.dtype != np.uint8:
            raise ValueError(f"only bytes are handed over, got {images.dtype}")
        count = len(images)
        connection, block = self._free.get()
        try:
            block.images[:count] = images
            connection.send_bytes(count.to_bytes())
            connection.recv_bytes()
            return block.logits[:count].copy(), block.features[:count].copy()
        finally:
            self._free.put((connection, block))


def install() -> None:
    engines.ENGINES["openvino"] = "tests.bench.shared_engine.server:SharedEngine"


# A worker process knows what its parent ran by the second name.
if __name__ in ("__main__", "__mp_main__"):
    install()

if __name__ == "__main__":
    sys.exit(__main__.main())
