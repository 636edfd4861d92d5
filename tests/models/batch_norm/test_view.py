"""Batch norm seen from outside: against PyTorch's function, and without a trace in the network."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models import ARCHITECTURES, create_model
from models.batch_norm.layer import BATCH_NORMS, BatchNorm
from models.batch_norm.report import batch_norm_report
from models.batch_norm.view import logits_by_batch_statistics, view_batch_norm

LENET_LAYERS = ("features.1", "features.5", "classifier.1", "classifier.4")


def _trained(norm: Callable[[int], nn.Module] = BatchNorm) -> nn.Module:
    """A LeNet whose batch norms have a scale, a shift and running statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model("lenet", num_classes=4, norm_layer=norm)
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, BATCH_NORMS):
                    module.weight.uniform_(0.5, 2)
                    module.bias.normal_()
            for _ in range(5):
                model(torch.randn(16, 3, 16, 16))
    return model.eval()


def _images(count: int = 6) -> Tensor:
    return torch.randn(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("layer", LENET_LAYERS)
@pytest.mark.parametrize("norm", [BatchNorm, nn.BatchNorm2d])
def test_a_layer_is_what_pytorchs_function_makes_of_its_input(
    norm: Callable[[int], nn.Module], layer: str
) -> None:
    model = _trained(norm).double()
    view = view_batch_norm(model, layer, _images().double())
    own = model.get_submodule(layer)
    assert isinstance(own, BATCH_NORMS)
    assert own.running_mean is not None
    assert own.running_var is not None
    running = own.running_mean.clone(), own.running_var.clone()
    with torch.inference_mode():
        by_batch = F.batch_norm(view.before, *running, own.weight, own.bias, training=True, eps=own.eps)
        by_running = F.batch_norm(
            view.before, own.running_mean, own.running_var, own.weight, own.bias, eps=own.eps
        )
    assert torch.allclose(view.training, by_batch, rtol=0, atol=1e-10)
    assert torch.allclose(view.eval, by_running, rtol=0, atol=1e-10)
    assert not torch.allclose(view.training, view.eval, atol=1e-2)
    over = (0, 2, 3) if view.before.dim() == 4 else (0,)
    assert np.allclose(view.batch_mean, view.before.numpy().mean(over), rtol=0, atol=1e-12)
    assert np.allclose(view.batch_var, view.before.numpy().var(over), rtol=0, atol=1e-12)
    assert torch.equal(view.running_mean, own.running_mean)
    assert torch.equal(view.running_var, own.running_var)


def test_what_reaches_the_layer_is_what_it_gets_in_eval_mode() -> None:
    model, images = _trained(), _images()
    conv, norm, sigmoid, pool, second = model.get_submodule("features")[:5]  # type: ignore[index]
    with torch.inference_mode():
        expected = second(pool(sigmoid(norm(conv(images)))))
        logits = model(images)
    view = view_batch_norm(model, "features.5", images)
    assert torch.equal(view.before, expected)
    assert torch.equal(view.logits, logits)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_first_and_the_last_batch_norm_of_every_network_can_be_viewed(architecture: str) -> None:
    model = create_model(architecture, num_classes=4).eval()
    for layer in batch_norm_report(model)[:: len(batch_norm_report(model)) - 1]:
        view = view_batch_norm(model, layer.name, _images(2))
        assert view.before.shape[1] == len(view.batch_mean) == len(view.bias) == layer.features
        assert view.training.shape == view.eval.shape == view.before.shape


def test_logits_by_batch_statistics_are_those_of_a_network_in_training_mode() -> None:
    model, images = _trained(), _images()
    switched = copy.deepcopy(model).train()
    with torch.no_grad():
        expected = switched(images)
    assert torch.equal(logits_by_batch_statistics(model, images), expected)


def test_only_batch_norms_are_switched() -> None:
    model = nn.Sequential(_trained(), nn.Dropout(0.9)).eval()
    images = _images()
    assert torch.equal(
        logits_by_batch_statistics(model, images), logits_by_batch_statistics(model[0], images)
    )


def test_by_batch_statistics_a_result_depends_on_the_neighbours_and_by_running_ones_it_does_not() -> None:
    model, images = _trained(), _images(8)
    small, large = logits_by_batch_statistics(model, images[:4]), logits_by_batch_statistics(model, images)
    assert (small[0] - large[0]).abs().max() > 1e-3
    views = [view_batch_norm(model, "features.1", batch) for batch in (images[:4], images)]
    assert torch.allclose(views[0].logits[0], views[1].logits[0], atol=1e-5)


def test_the_network_is_left_as_it_is() -> None:
    model = _trained()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modules = list(model.modules())
    for layer in LENET_LAYERS:
        view_batch_norm(model, layer, _images())
    logits_by_batch_statistics(model, _images())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert list(model.modules()) == modules
    assert not any(module.training for module in modules)
    assert not any(module._forward_pre_hooks for module in modules)
    assert not any(parameter.is_inference() for parameter in model.parameters())


@pytest.mark.parametrize("layer", ["features.0", "features.9", ""])
def test_what_is_no_batch_norm_is_refused(layer: str) -> None:
    with pytest.raises(ValueError, match="is no batch norm"):
        view_batch_norm(_trained(), layer, _images())


def test_a_batch_norm_without_running_statistics_is_refused() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False))
    with pytest.raises(ValueError, match="is no batch norm with running statistics"):
        view_batch_norm(model, "0", _images())
