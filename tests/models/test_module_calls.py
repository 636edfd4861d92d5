"""A network is computed while others are traced, as in a service that loads a model while it serves."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.artifact.store import load_artifact
from models.batch_norm.folding import fold_batch_norms
from models.batch_norm.layer import BatchNorm
from models.batch_norm.view import logits_by_batch_statistics, logits_by_running_statistics, view_batch_norm
from models.class_activation import ClassActivation
from models.engines import EngineOptions
from models.engines.conversion import convert
from models.engines.torch_engine import TorchEngine
from models.module_calls import MODULE_CALLS, ModuleCalls
from models.preprocessing.transform import Preprocessing
from tests.support.artifacts import description, save_small_artifact, small_model


@contextmanager
def _computing(engine: TorchEngine) -> Iterator[list[BaseException]]:
    """The engine computes batch after batch meanwhile; the list takes what it raises."""
    stop, raised = threading.Event(), list[BaseException]()

    def compute() -> None:
        while not stop.is_set() and not raised:
            try:
                engine.predict(np.zeros((1, 3, 32, 32), np.uint8))
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


@pytest.mark.parametrize(
    "look",
    [
        lambda model, images: ClassActivation(model).maps(images),
        lambda model, images: view_batch_norm(model, "1", images),
        logits_by_batch_statistics,
        logits_by_running_statistics,
    ],
)
def test_what_looks_into_a_network_keeps_tracing_out(look: Callable[[nn.Module, Tensor], object]) -> None:
    conv = nn.Conv2d(3, 2, 3)
    model = nn.Sequential(conv, BatchNorm(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)).eval()
    computing = list[int]()
    conv.register_forward_hook(lambda *_: computing.append(MODULE_CALLS._computing))
    look(model, torch.zeros(2, 3, 8, 8))
    assert computing == [1]


def test_networks_are_computed_side_by_side() -> None:
    calls, both_inside = ModuleCalls(), threading.Barrier(2)

    def compute() -> None:
        with calls.computing():
            both_inside.wait(timeout=10)

    _run(compute, compute)
    assert not both_inside.broken


def test_nobody_computes_or_traces_while_one_traces() -> None:
    calls, inside, most = ModuleCalls(), list[str](), list[int]()

    def enter(kind: str) -> None:
        for _ in range(50):
            with calls.tracing() if kind == "tracing" else calls.computing():
                inside.append(kind)
                time.sleep(0.0001)  # lets another thread run
                most.append(len(inside) if "tracing" in inside else 1)
                inside.remove(kind)

    _run(*(partial(enter, kind) for kind in ("tracing", "computing") * 3))
    assert len(most) == 6 * 50
    assert max(most) == 1


def test_who_waits_to_trace_goes_before_who_comes_later() -> None:
    calls, order = ModuleCalls(), list[str]()
    tracer = threading.Thread(target=partial(_note, calls.tracing, "traced", order))
    later = threading.Thread(target=partial(_note, calls.computing, "computed", order))
    with calls.computing():
        tracer.start()
        while not calls._tracers:
            assert tracer.is_alive()
        later.start()
        later.join(0.05)
        assert order == []
    tracer.join()
    later.join()
    assert order == ["traced", "computed"]


def test_an_error_inside_lets_the_others_in() -> None:
    calls = ModuleCalls()
    for enter in (calls.computing, calls.tracing, calls.computing):
        with pytest.raises(ValueError, match="inside"), enter():
            raise ValueError("inside")


def _note(enter: Callable[[], AbstractContextManager[None]], name: str, order: list[str]) -> None:
    with enter():
        order.append(name)


def _run(*works: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
