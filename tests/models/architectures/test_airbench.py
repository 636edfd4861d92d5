"""The network of airbench, held against the shapes and the formula of its paper."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models import create_model
from models.architectures.airbench import LOGIT_SCALE, Airbench, ConvGroup
from models.architectures.initialization import initialize
from models.batch_norm.layer import BatchNorm
from models.summary import summarize


def test_parameters_are_those_counted_by_hand() -> None:
    with torch.device("meta"):
        layers = {layer.name: layer for layer in summarize(create_model("airbench94", 10), (3, 32, 32))}
    assert [(layer.output_shape, layer.parameters) for layer in layers.values()] == [
        # 24 filters of 3×2×2 and their biases; no padding.
        ((24, 31, 31), 24 * 12 + 24),
        # Two convolutions without bias, two shifts, no scale.
        ((64, 15, 15), 9 * 64 * (24 + 64) + 2 * 64),
        ((256, 7, 7), 9 * 256 * (64 + 256) + 2 * 256),
        ((256, 3, 3), 9 * 256 * (256 + 256) + 2 * 256),
        ((256, 1, 1), 0),
        ((256,), 0),
        ((10,), 256 * 10),
    ]


def test_a_group_of_three_adds_the_first_result_to_the_third() -> None:
    group = ConvGroup(4, 6, 3).double().eval()
    images = torch.randn(2, 4, 7, 6, dtype=torch.float64)
    first = F.gelu(group.bn1(F.max_pool2d(group.conv1(images), 2)))
    second = F.gelu(group.bn2(group.conv2(first)))
    assert group.conv3 is not None
    torch.testing.assert_close(group(images), F.gelu(group.bn3(group.conv3(second)) + first))
    assert group(images).shape == (2, 6, 3, 3)


@pytest.mark.parametrize("norm_layer", [BatchNorm, nn.BatchNorm2d])
def test_batch_norm_has_no_scale_and_learns_its_statistics_fast(norm_layer: type[nn.Module]) -> None:
    model = Airbench((4, 6, 8), 2, 5, 3, norm_layer)
    norms = [module for module in model.modules() if isinstance(module, norm_layer)]
    assert len(norms) == 6
    assert {norm.weight for norm in norms} == {None}
    assert {norm.momentum for norm in norms} == {0.4}
    model(torch.randn(8, 3, 16, 16))
    kept = model.state_dict()["groups.0.bn1.running_var"]
    # One batch counts 0.4, the initial 1 is left with 0.6.
    assert (kept >= 0.6).all()


def test_both_batch_norms_compute_the_same() -> None:
    ours, theirs = (Airbench((4, 6, 8), 3, 5, 3, norm) for norm in (BatchNorm, nn.BatchNorm2d))
    initialize(ours, "dirac")
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(8, 3, 16, 16)
    for training in (True, False):
        ours.train(training)
        theirs.train(training)
        torch.testing.assert_close(ours(images), theirs(images), atol=1e-5, rtol=1e-4)


def test_logits_are_scaled_down() -> None:
    model = Airbench((4, 6, 8), 2, 5).eval()
    features = model.flatten(model.pool(model.groups(model.stem(torch.ones(2, 3, 16, 16)))))
    torch.testing.assert_close(model(torch.ones(2, 3, 16, 16)), model.classifier(features) * LOGIT_SCALE)


def test_nine_pixels_are_the_least() -> None:
    model = Airbench((4, 6, 8), 3, 5).eval()
    assert model(torch.ones(2, 3, 9, 40)).shape == (2, 5)
    with pytest.raises(RuntimeError, match="too small"):
        model(torch.ones(2, 3, 8, 40))


@pytest.mark.parametrize("convolutions", [1, 4])
def test_another_number_of_convolutions_is_refused(convolutions: int) -> None:
    with pytest.raises(ValueError, match=f"convolutions must be 2 or 3, got {convolutions}"):
        ConvGroup(4, 6, convolutions)
