"""Batch norm in training mode as one function, with the gradient derived by hand.

Of x, its mean and (biased) variance over the n values of a channel, and g = dL/dy, the forward pass is::

    x_hat = (x - mean) / sqrt(var + eps)        y = weight * x_hat + bias

`weight` and `bias` reach every y of their channel, so their gradients are sums over it::

    dL/dbias = sum(g)                           dL/dweight = sum(g * x_hat)

x reaches the loss along three ways: itself, the mean, and the variance. Their sum is::

    dL/dx = weight / sqrt(var + eps) * (g - sum(g) / n - x_hat * sum(g * x_hat) / n)

What is taken away is the part of g along a constant and the part along x_hat: a shift or a scaling of the
whole channel changes no y, so the gradient has no share in these directions.

Autograd would record each of the steps and keep its result; this keeps x alone and reads it twice.

Source: Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167, section 3.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import Function, once_differentiable

VALUES_AT_ONCE = 2**19
"""What a processor takes through several steps in a row: 2 MiB in float32, which stay in its cache."""


class NormaliseByBatch(Function):
    """`apply(x, weight, bias, eps, count, total)` to y, the mean and the biased variance.

    x is (N, C) or (N, C, H, W), in any memory format, which y takes over; `weight`, or None, and `bias` are
    (C,). `total` takes a sum of this process to that of all that share the batch, and `count` is the number
    of values per channel in such a total. No gradient flows through the mean and the variance, and there are
    no second derivatives.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor,
        eps: float,
        count: int,
        total: Callable[[Tensor], Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:
        over, per_channel = axes(x)
        mean = total(x.sum(over)) / count
        squares = torch.zeros_like(mean)
        for part in parts(x):
            squares += (part[0] - mean.view(per_channel)).square_().sum(over)
        var = total(squares) / count

        scale = torch.rsqrt(var + eps)
        if weight is not None:
            scale = scale * weight
        # As scale * x + shift: one step for each value instead of two.
        shift = bias - mean * scale
        y = torch.empty_like(x)
        for values, result in parts(x, y):
            torch.addcmul(shift.view(per_channel), values, scale.view(per_channel), out=result)

        ctx.save_for_backward(x, weight, mean, torch.rsqrt(var + eps))
        ctx.count, ctx.total = count, total
        ctx.mark_non_differentiable(mean, var)
        return y, mean, var

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight, mean, inverse_std = ctx.saved_tensors
        over, per_channel = axes(x)
        sum_g, sum_g_x_hat = torch.zeros_like(mean), torch.zeros_like(mean)
        for values, gradient in parts(x, g):
            sum_g += gradient.sum(over)
            sum_g_x_hat += (values - mean.view(per_channel)).mul_(gradient).sum(over)
        sum_g_x_hat *= inverse_std

        dx = None
        if ctx.needs_input_grad[0]:
            # As a * g + b * x + c, with one number each per channel.
            a = inverse_std if weight is None else inverse_std * weight
            b = -a * inverse_std * ctx.total(sum_g_x_hat) / ctx.count
            c = -a * ctx.total(sum_g) / ctx.count - b * mean
            dx = torch.empty_like(x)
            for values, gradient, result in parts(x, g, dx):
                torch.addcmul(c.view(per_channel), values, b.view(per_channel), out=result)
                result.addcmul_(gradient, a.view(per_channel))
        return dx, None if weight is None else sum_g_x_hat, sum_g, None, None, None


def axes(x: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The dimensions of x that are summed over, and the shape that lays (C,) along its channels."""
    return ((0,), (1, -1)) if x.dim() == 2 else ((0, 2, 3), (1, -1, 1, 1))


def parts(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors, all of one shape, a few images at a time; on a GPU, where that is no use, all at once."""
    first = tensors[0]
    if first.device.type != "cpu":
        return iter([tensors])
    images = max(1, VALUES_AT_ONCE * len(first) // max(first.numel(), 1))
    return zip(*(torch.split(tensor, images) for tensor in tensors), strict=True)
