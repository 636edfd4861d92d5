"""Histograms of what a batch norm takes and gives: every value counted once, between edges in equal steps."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.batch_norm.histograms import BINS, histograms
from models.batch_norm.view import BatchNormView, view_batch_norm
from tests.support.small_model import lenet


def _view(before: Tensor, training: Tensor, by_running: Tensor) -> BatchNormView:
    nothing = torch.zeros(before.shape[1])
    return BatchNormView(
        nothing, before, training, by_running, nothing, nothing, nothing, nothing, None, nothing
    )


@pytest.mark.parametrize("channel", [None, 0, 5])
def test_histograms_count_every_value_between_common_edges(channel: int | None) -> None:
    images = torch.randn(6, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    view = view_batch_norm(lenet(), "features.1", images)
    result = histograms(view, channel)
    assert len(result.edges) == BINS + 1
    for values, counts in (
        (view.before, result.before),
        (view.training, result.training),
        (view.eval, result.eval),
    ):
        counted = values.numpy() if channel is None else values[:, channel].numpy()
        assert sum(counts) == counted.size
        expected, _ = np.histogram(counted, BINS, (result.edges[0], result.edges[-1]))
        # A value next to an edge may be rounded to the other side of it.
        assert np.abs(np.array(counts) - expected).sum() <= 0.002 * counted.size
    assert np.allclose(np.diff(result.edges), (result.edges[-1] - result.edges[0]) / BINS)


def test_a_channel_has_the_edges_of_its_own_values() -> None:
    values = torch.stack([torch.tensor([0.0, 1.0]), torch.tensor([10.0, 30.0])], 1)
    result = histograms(_view(values, values, values + 1), channel=1)
    assert (result.edges[0], result.edges[-1]) == (10, 31)
    assert (result.before[0], result.before[-1], sum(result.before)) == (1, 0, 2)
    assert (result.eval[0], result.eval[-1], sum(result.eval)) == (0, 1, 2)


def test_values_that_are_all_the_same_have_a_histogram_too() -> None:
    values = torch.full((2, 1), 3.0)
    result = histograms(_view(values, values, values))
    assert (result.edges[0], result.edges[-1]) == (2.5, 3.5)
    assert sum(result.before) == 2
