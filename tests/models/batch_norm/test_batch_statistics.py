"""The gradient derived by hand against autograd's own, of the definition."""

import pytest
import torch
from torch import Tensor

from models.batch_norm import batch_statistics
from models.batch_norm.batch_statistics import NormaliseByBatch, axes

SHAPES = [(6, 3), (5, 3, 4, 2), (7, 3, 1, 1)]
FORMATS = (torch.contiguous_format, torch.channels_last)


def of_this_process(value: Tensor) -> Tensor:
    return value


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3 + 2


def by_definition(x: Tensor, weight: Tensor | None, bias: Tensor) -> Tensor:
    over, per_channel = axes(x)
    centred = x - x.mean(over, keepdim=True)
    normalised = centred / torch.sqrt(centred.square().mean(over, keepdim=True) + 1e-5)
    scaled = normalised if weight is None else normalised * weight.view(per_channel)
    return scaled + bias.view(per_channel)


def by_batch(x: Tensor, weight: Tensor | None, bias: Tensor) -> Tensor:
    result: Tensor = NormaliseByBatch.apply(x, weight, bias, 1e-5, x.numel() // x.shape[1], of_this_process)[
        0
    ]
    return result


@pytest.mark.parametrize("values_at_once", [1, 50, 2**17], ids=["image by image", "in parts", "whole"])
@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize(
    ("shape", "memory_format"),
    [
        ((6, 3), torch.contiguous_format),
        *((shape, each) for shape in SHAPES[1:] for each in FORMATS),
    ],
)
def test_values_and_gradients_are_those_of_the_definition(
    monkeypatch: pytest.MonkeyPatch,
    shape: tuple[int, ...],
    memory_format: torch.memory_format,
    scaled: bool,
    values_at_once: int,
) -> None:
    monkeypatch.setattr(batch_statistics, "VALUES_AT_ONCE", values_at_once)
    towards = random(*shape, seed=1)
    results = []
    for normalise in (by_batch, by_definition):
        x = random(*shape).contiguous(memory_format=memory_format).requires_grad_()
        weight = random(3, seed=2).requires_grad_() if scaled else None
        bias = random(3, seed=3).requires_grad_()
        y = normalise(x, weight, bias)
        assert y.is_contiguous(memory_format=memory_format)
        given = [each for each in (x, weight, bias) if each is not None]
        results.append((y, *torch.autograd.grad(y, given, towards)))
    torch.testing.assert_close(*results)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_equal_finite_differences(shape: tuple[int, ...]) -> None:
    inputs = [random(*shape), random(3, seed=2), random(3, seed=3)]
    assert torch.autograd.gradcheck(by_batch, [each.requires_grad_() for each in inputs])


def test_the_input_needs_no_gradient() -> None:
    """As with the images, where a batch norm comes first."""
    weight, bias = random(3, seed=2).requires_grad_(), random(3, seed=3).requires_grad_()
    x, towards = random(6, 3), random(6, 3, seed=1)
    found, expected = (
        torch.autograd.grad(normalise(x, weight, bias), (weight, bias), towards)
        for normalise in (by_batch, by_definition)
    )
    torch.testing.assert_close(found, expected)


def test_second_derivatives_are_refused_and_never_wrong() -> None:
    x, weight, bias = (each.requires_grad_() for each in (random(6, 3), random(3), random(3)))
    (gradient,) = torch.autograd.grad(by_batch(x, weight, bias).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()  # type: ignore[no-untyped-call]
