"""The batch-norm report, and what it keeps from being served."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from models.batch_norm.facts import BatchNormLayer
from models.batch_norm.layer import BatchNorm
from models.batch_norm.report import batch_norm_report, require_inference_ready


@pytest.mark.parametrize("norm", [BatchNorm, nn.BatchNorm1d])
def test_a_layer_is_reported_with_its_updates_and_ranges(norm: Callable[[int], nn.Module]) -> None:
    model = nn.Sequential(nn.Linear(2, 2), norm(2))
    norm_layer = model[1]
    norm_layer(torch.tensor([[0.0, 10.0], [2.0, 30.0]]))
    norm_layer(torch.tensor([[0.0, 10.0], [2.0, 30.0]]))
    model.eval()

    [layer] = batch_norm_report(model)

    # Means 1 and 20, unbiased variances 2 and 200; after two updates at momentum 0.1 their weight is 0.19.
    assert (layer.name, layer.features, layer.training, layer.updates_seen) == ("1", 2, False, 2)
    assert layer.running_mean_min == pytest.approx(0.19)
    assert layer.running_mean_max == pytest.approx(0.19 * 20)
    assert layer.running_var_min == pytest.approx(0.81 + 0.19 * 2)
    assert layer.running_var_max == pytest.approx(0.81 + 0.19 * 200)


def test_layers_come_in_the_order_of_the_network_with_their_mode() -> None:
    model = nn.Sequential(BatchNorm(1), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(5)), nn.BatchNorm1d(3).eval())
    assert [(layer.name, layer.features, layer.training) for layer in batch_norm_report(model)] == [
        ("0", 1, True),
        ("1.1", 5, True),
        ("2", 3, False),
    ]


def test_a_layer_without_running_statistics_has_no_ranges() -> None:
    [layer] = batch_norm_report(nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False)))
    assert layer == BatchNormLayer(
        name="0",
        features=2,
        training=True,
        updates_seen=0,
        running_mean_min=None,
        running_mean_max=None,
        running_var_min=None,
        running_var_max=None,
    )


def test_a_network_without_batch_norm_has_an_empty_report_and_is_ready() -> None:
    model = nn.Linear(2, 2)
    assert batch_norm_report(model) == []
    require_inference_ready(model)


def trained_norm() -> BatchNorm:
    norm = BatchNorm(2)
    norm(torch.randn(4, 2))
    return norm


def test_updated_layers_in_eval_mode_are_ready() -> None:
    require_inference_ready(nn.Sequential(trained_norm(), nn.Sequential(trained_norm())).eval())


def test_one_layer_in_training_mode_is_refused_by_name() -> None:
    model = nn.Sequential(trained_norm(), nn.Sequential(trained_norm())).eval()
    model[1].train()
    with pytest.raises(ValueError, match=r"batch norm 1\.0 is in training mode"):
        require_inference_ready(model)


def test_a_layer_that_was_never_updated_is_refused_by_name() -> None:
    model = nn.Sequential(trained_norm(), BatchNorm(2)).eval()
    with pytest.raises(ValueError, match="batch norm 1 was never updated"):
        require_inference_ready(model)


def test_a_layer_without_running_statistics_is_refused_by_name() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2, track_running_stats=False)).eval()
    with pytest.raises(ValueError, match="batch norm 0 keeps no running statistics"):
        require_inference_ready(model)
