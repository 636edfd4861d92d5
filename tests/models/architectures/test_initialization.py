"""Initialisation: the stated distributions, and every layer reached."""

import math

import pytest
import torch
from torch import nn

from models import create_model
from models.architectures.initialization import INITIALIZATIONS, initialize

LAYERS = [nn.Conv2d(32, 64, 3, bias=False), nn.Linear(200, 300)]


@pytest.mark.parametrize("layer", LAYERS, ids=["conv", "linear"])
def test_xavier_is_uniform_within_its_bound(layer: nn.Conv2d | nn.Linear) -> None:
    initialize(layer, "xavier")
    places = math.prod(layer.weight.shape[2:])
    bound = math.sqrt(6 / ((layer.weight.shape[0] + layer.weight.shape[1]) * places))
    assert layer.weight.abs().max() <= bound
    assert layer.weight.abs().max() > 0.99 * bound
    torch.testing.assert_close(layer.weight.std().item(), bound / math.sqrt(3), rtol=0.03, atol=0)


@pytest.mark.parametrize(("layer", "fan"), [(LAYERS[0], 64 * 9), (LAYERS[1], 200)], ids=["conv", "linear"])
def test_kaiming_is_normal_over_a_convolutions_fan_out_and_a_linear_layers_fan_in(
    layer: nn.Conv2d | nn.Linear, fan: int
) -> None:
    initialize(layer, "kaiming")
    deviation = math.sqrt(2 / fan)
    torch.testing.assert_close(layer.weight.std().item(), deviation, rtol=0.03, atol=0)
    # A normal distribution has 31.7 % of its values beyond one deviation.
    beyond = (layer.weight.abs() > deviation).double().mean().item()
    assert beyond == pytest.approx(0.317, abs=0.02)


def test_dirac_passes_the_input_on_and_draws_the_other_filters() -> None:
    layer = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    initialize(layer, "dirac")
    images = torch.randn(2, 3, 5, 5)
    assert torch.equal(layer(images)[:, :3], images)
    assert layer.weight[3:].abs().max() <= 1 / math.sqrt(27)
    assert layer.weight[3:].abs().min() > 0


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_every_weight_is_drawn_every_bias_is_0_and_batch_norms_stay(name: str) -> None:
    model = create_model("lenet", 10)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    initialize(model, name)
    for path, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert not torch.equal(module.weight, before[f"{path}.weight"])
            assert module.bias is not None
            assert not module.bias.any()
        else:
            for key, value in module.state_dict(prefix=f"{path}.").items():
                if not list(module.children()):
                    assert torch.equal(value, before[key])


@pytest.mark.parametrize("name", INITIALIZATIONS)
def test_the_same_seed_gives_the_same_weights(name: str) -> None:
    weights = []
    for seed in (1, 1, 2):
        layer = nn.Linear(3, 4)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            initialize(layer, name)
        weights.append(layer.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown initialization 'zeros': choose from xavier, kaiming, "):
        initialize(nn.Linear(2, 2), "zeros")
