"""A network is computed while others are traced, as in a service that loads a model while it serves."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from app.engines import EngineOptions
from app.engines.torch import TorchEngine
from models.artifact import load_artifact
from models.folding import fold_batch_norms
from models.openvino_ir import convert
from models.preprocessing import Preprocessing
from tests.api.artifacts import description, save_small_artifact, small_model


@contextmanager
def _computing(engine: TorchEngine) -> Iterator[list[BaseException]]:
    """The engine computes batch after batch meanwhile; the list takes what it raises."""
    stop, raised = threading.Event(), list[BaseException]()

    def compute() -> None:
        while not stop.is_set() and not raised:
            try:
                engine.predict(torch.zeros(1, 3, 32, 32))
            except BaseException as error:  # noqa: BLE001 - for the test to see
                raised.append(error)

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield raised
    finally:
        stop.set()
        thread.join()


def test_folding_and_conversion_disturb_nobody(tmp_path: Path) -> None:
    artifact = load_artifact(save_small_artifact(tmp_path / "lenet-test" / "1"))
    engine = TorchEngine(artifact, EngineOptions("cpu", "float32", threads=1))
    model, preprocessing = small_model(), Preprocessing.from_metadata(description())
    with _computing(engine) as raised:
        for _ in range(30):
            fold_batch_norms(model)
        convert(model, preprocessing)
    assert raised == []
