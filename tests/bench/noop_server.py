"""The service with an engine that computes nothing: what HTTP, decoding and batching take by themselves.

python -m tests.bench.noop_server serve
"""

import sys
from unittest.mock import patch

import torch
from torch import Tensor

from app import __main__
from app.registry import served_model as model_store
from models import engines
from models.artifact.store import Artifact
from models.engines import EngineOptions, Precision
from models.engines.openvino_engine import MAX_BATCH
from models.features import last_linear


class NoopEngine:
    """All logits are 0, at once."""

    name = "no-op"
    version = "0"
    device = "cpu"
    precision: Precision = "float32"
    concurrency = 1
    max_batch: int | None = MAX_BATCH

    def __init__(self, artifact: Artifact, options: EngineOptions) -> None:  # noqa: ARG002
        self._classes = len(artifact.metadata.classes)
        self._features = last_linear(artifact.model).in_features

    def predict(self, images: Tensor) -> Tensor:
        return torch.zeros(len(images), self._classes)

    def predict_with_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self.predict(images), torch.zeros(len(images), self._features)


def install() -> None:
    """Have this process compute nothing, and not be asked for the golden logits, which it cannot give."""
    engines.ENGINES["openvino"] = NoopEngine
    patch.object(model_store, "check_golden", lambda *_: None).start()


# A worker process knows what its parent ran by the second name.
if __name__ in ("__main__", "__mp_main__"):
    install()

if __name__ == "__main__":
    sys.exit(__main__.main())
