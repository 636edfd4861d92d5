"""The service with an engine that computes nothing: what HTTP, decoding and batching take by themselves.

    python -m tests.bench.noop_server serve

With BATCH_SECONDS and IMAGE_SECONDS it takes that long for a batch, and for each image in it. Meanwhile it
leaves the processor to the rest, as an accelerator does.
"""

import os
import sys
import time
from unittest.mock import patch

import numpy as np

from app import __main__
from app.registry import served_model
from models import engines
from models.artifact.store import Artifact
from models.engines import EngineOptions, Floats, Images, Precision

BATCH_SECONDS, IMAGE_SECONDS = (
    float(os.environ.get(name, "0")) for name in ("BATCH_SECONDS", "IMAGE_SECONDS")
)


class NoopEngine:
    """All logits are 0."""

    name = "no-op"
    version = "0"
    device = "cpu" if BATCH_SECONDS + IMAGE_SECONDS == 0 else "timer"
    precision: Precision = "float32"
    concurrency = 1
    max_batch: int | None = 16

    def __init__(self, artifact: Artifact, options: EngineOptions) -> None:  # noqa: ARG002
        self._classes = len(artifact.metadata.classes)
        self._features = artifact.facts.features or 0

    def predict(self, images: Images) -> Floats:
        if seconds := BATCH_SECONDS + IMAGE_SECONDS * len(images):
            time.sleep(seconds)
        return np.zeros((len(images), self._classes), np.float32)

    def predict_with_features(self, images: Images) -> tuple[Floats, Floats]:
        return self.predict(images), np.zeros((len(images), self._features), np.float32)

    def for_throughput(self) -> None:
        """Nothing to gain."""


def install() -> None:
    """Have this process compute nothing, and not be asked for the golden logits, which it cannot give."""
    engines.ENGINES["openvino"] = "tests.bench.noop_server:NoopEngine"
    patch.object(served_model, "check_golden", lambda *_: None).start()


# A worker process knows what its parent ran by the second name.
if __name__ in ("__main__", "__mp_main__"):
    install()

if __name__ == "__main__":
    sys.exit(__main__.main())
