"""What is read of stored batch norms is what the network itself would report."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from models import create_model
from models.batch_norm.facts import BatchNormLayer, require_ready, stored_batch_norms
from models.batch_norm.layer import BatchNorm
from models.batch_norm.report import batch_norm_report

READY = BatchNormLayer(
    name="stem.1",
    features=3,
    training=False,
    updates_seen=7,
    running_mean_min=-0.5,
    running_mean_max=0.5,
    running_var_min=0.1,
    running_var_max=2.0,
)


def stored(model: nn.Module) -> list[BatchNormLayer]:
    names = [layer.name for layer in batch_norm_report(model)]
    return stored_batch_norms(names, {name: value.numpy() for name, value in model.state_dict().items()})


@pytest.mark.parametrize("norm", [BatchNorm, nn.BatchNorm2d])
def test_a_stored_networks_batch_norms_are_reported_as_its_own(norm: Callable[[int], nn.Module]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = create_model("resnet18-3x3", 4, norm_layer=norm)
        with torch.no_grad():
            for _ in range(3):
                model(torch.randn(8, 3, 16, 16))
    model.eval()
    found = stored(model)
    assert found == batch_norm_report(model)
    assert len(found) == 20
    assert {layer.updates_seen for layer in found} == {3}
    require_ready(found)


@pytest.mark.parametrize(
    "norm",
    [
        nn.BatchNorm1d(5, affine=False),
        nn.BatchNorm1d(5, track_running_stats=False),
        BatchNorm(1),
    ],
)
def test_a_layer_of_fewer_tensors_is_reported_as_its_own(norm: nn.Module) -> None:
    model = nn.Sequential(nn.Identity(), norm).eval()
    assert stored(model) == batch_norm_report(model)


def test_they_come_in_the_order_of_the_names() -> None:
    model = nn.Sequential(BatchNorm(1), BatchNorm(2)).eval()
    tensors = {name: value.numpy() for name, value in model.state_dict().items()}
    assert [layer.features for layer in stored_batch_norms(["1", "0"], tensors)] == [2, 1]
    assert stored_batch_norms([], tensors) == []


def test_layers_that_would_do_no_wrong_are_ready() -> None:
    require_ready([])
    require_ready([READY, replace(READY, updates_seen=1)])


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (replace(READY, training=True), "is in training mode"),
        (replace(READY, running_mean_min=None), "keeps no running statistics"),
        (replace(READY, running_var_min=None), "keeps no running statistics"),
        (replace(READY, updates_seen=0), "was never updated"),
    ],
)
def test_one_that_would_is_refused_by_name(layer: BatchNormLayer, words: str) -> None:
    with pytest.raises(ValueError, match=rf"batch norm stem\.1 {words}"):
        require_ready([replace(READY, name="0"), layer])
