"""One process that computes for several front ends.

    python -m tests.bench.shared_engine.process FOLDER SOCKET

A front end connects once for each batch that it may have in flight, names the file of its `Block`, and from
then on sends how many images lie in it. Batches that wait at the same time are computed as one.
"""

import sys
from multiprocessing.connection import Connection, Listener, wait
from pathlib import Path
from threading import Thread

import numpy as np

from models.artifact.store import read_artifact
from models.engines import EngineOptions
from models.engines.openvino_engine import OpenVinoEngine
from models.hardware import usable_cores
from tests.bench.shared_engine.block import MOST_IMAGES, Block, Shape

MOST_TOGETHER = 2 * MOST_IMAGES


def main(folder: str, address: str) -> None:
    artifact = read_artifact(Path(folder))
    about = artifact.metadata
    features = artifact.facts.features or 0
    shape = Shape(about.in_channels, about.input_size, len(about.classes), features)
    engine = OpenVinoEngine.of(artifact, EngineOptions(threads=max(2, usable_cores())))
    for size in range(1, MOST_TOGETHER + 1):
        engine.predict(np.zeros((size, shape.channels, shape.size, shape.size), np.uint8))
    blocks: dict[Connection, Block] = {}
    with Listener(address, "AF_UNIX", backlog=64) as listener:
        print("ready", flush=True)
        blocks_of(listener, shape, blocks)
        while True:
            compute(engine, blocks)


def blocks_of(listener: Listener, shape: Shape, blocks: dict[Connection, Block]) -> None:
    """Take in front ends from now on, on a thread."""

    def accept() -> None:
        while True:
            connection = listener.accept()
            blocks[connection] = Block(Path(connection.recv()), shape)
            connection.send("mapped")

    Thread(target=accept, daemon=True).start()


def compute(engine: OpenVinoEngine, blocks: dict[Connection, Block]) -> None:
    """Compute what waits, at most `MOST_TOGETHER` images, as one batch."""
    batch: list[tuple[Connection, Block, int]] = []
    together = 0
    for connection in wait(list(blocks), timeout=0.1):
        assert isinstance(connection, Connection)
        if together > MOST_TOGETHER - MOST_IMAGES:
            break
        try:
            count = int.from_bytes(connection.recv_bytes())
        except (EOFError, OSError):
            del blocks[connection]
            continue
        batch.append((connection, blocks[connection], count))
        together += count
    if not batch:
        return
    images = [block.images[:count] for _, block, count in batch]
    logits, features = engine.predict_with_features(images[0] if len(images) == 1 else np.concatenate(images))
    start = 0
    for connection, block, count in batch:
        block.logits[:count] = logits[start : start + count]
        block.features[:count] = features[start : start + count]
        start += count
        connection.send_bytes(b"done")


if __name__ == "__main__":
    main(*sys.argv[1:])
