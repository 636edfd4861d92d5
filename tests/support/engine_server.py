"""A server whose engine does as a test says, as a program of its own: its first argument names how.

    python tests/support/engine_server.py HOW FILE

`hang`: once `FILE` is away, a batch of three images never ends; it makes `FILE` when it begins.
`slow-start`: each batch of the warm-up takes half a second, and adds a line to `FILE`.

There is one network alone: the golden images of one for throughput could be the batch that hangs.
"""

import os
import sys
import time
from pathlib import Path

from app.__main__ import main
from app.registry import loader
from app.registry.served_model import ServedModel, load_model
from models.engines import Floats, Images
from models.engines.openvino_engine import OpenVinoEngine

predict = OpenVinoEngine.predict


def hang(engine: OpenVinoEngine, images: Images) -> Floats:
    if len(images) == 3 and not FILE.exists():
        FILE.touch()
        time.sleep(3600)
    return predict(engine, images)


def slowly(engine: OpenVinoEngine, images: Images) -> Floats:
    with FILE.open("a") as file:
        file.write(f"{len(images)}\n")
    time.sleep(0.5)
    return predict(engine, images)


def load_then_hang(*arguments: object) -> ServedModel:
    model = load_model(*arguments)  # type: ignore[arg-type]
    OpenVinoEngine.predict = hang  # type: ignore[method-assign, assignment]
    return model


FILE = Path(sys.argv[-1])
os.environ["RESNET_SERVE_THROUGHPUT_NETWORK"] = "false"

if sys.argv[1:2] == ["slow-start"]:
    OpenVinoEngine.predict = slowly  # type: ignore[method-assign, assignment]
else:
    loader.load_model = load_then_hang  # type: ignore[attr-defined, assignment]

if __name__ == "__main__":
    sys.exit(main(["serve", "--port", "0"]))
