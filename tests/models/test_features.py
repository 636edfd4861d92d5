import pytest
import torch
from torch import nn

from models import ARCHITECTURES, create_model
from models.features import last_linear, with_features

IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_network_gives_features_beside_its_own_logits(name: str) -> None:
    model = create_model(name, 10).eval()
    taken = []
    hook = last_linear(model).register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
    with torch.no_grad():
        expected = model(IMAGES)
        hook.remove()
        logits, features = with_features(model)(IMAGES)
    assert torch.equal(logits, expected)
    assert torch.equal(features, taken[0])
    assert features.shape == (2, last_linear(model).in_features)


@pytest.mark.parametrize("name", ARCHITECTURES)
@torch.no_grad()
def test_the_last_linear_layer_makes_the_logits_of_the_features(name: str) -> None:
    model = create_model(name, 10).eval()
    logits, features = with_features(model)(IMAGES)
    torch.testing.assert_close(last_linear(model)(features), logits)


def test_a_network_without_a_linear_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="Sequential has no linear layer"):
        with_features(nn.Sequential(nn.Flatten()))
