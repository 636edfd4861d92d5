"""Batch normalisation from first principles, and its removal at inference time.

Source: Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal
Covariate Shift", 2015, https://arxiv.org/abs/1502.03167.
"""

import copy

import torch
from torch import Tensor, nn

from models.batch_norm.batch_statistics import NormaliseByBatch


class BatchNorm(nn.Module):
    """Normalise every feature or channel to mean 0 and variance 1, then scale and shift it.

    In training mode the statistics are those of the batch; in eval mode they are the running ones, so that
    an image's result does not depend on its neighbours. The mode is `self.training`, never a question of
    whether gradients are on.

    `momentum` is PyTorch's: the weight of the *new* statistic, ``running = (1 - momentum) * running +
    momentum * batch``. Textbooks write the weight of the old one; their 0.9 is 0.1 here. With None the
    running statistics are the plain mean over all batches since `reset_running_stats`.

    A network that wants no scale registers None as the parameter `weight`.

    The batch is normalised by its biased variance (divided by n), while the running variance takes the
    unbiased one (divided by n - 1), as in PyTorch. Parameters and buffers carry PyTorch's names, so that
    state dicts are exchanged with `nn.BatchNorm1d` and `nn.BatchNorm2d` in both directions.

    Half-precision input is normalised in float32 and returned in its own type.

    Shapes: (N, C) or (N, C, H, W), unchanged. Raises `ValueError` for any other shape, for another number
    of channels, and in training mode for a batch that holds one value per channel (its variance is
    undefined).
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__()
        if num_features < 1:
            raise ValueError(f"num_features must be at least 1, got {num_features}")
        if eps <= 0:
            raise ValueError(f"eps must be greater than 0, got {eps}")
        if momentum is not None and not 0 <= momentum <= 1:
            raise ValueError(f"momentum must be in 0..1, or None, got {momentum}")
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() not in (2, 4):
            raise ValueError(f"expected an input of shape (N, C) or (N, C, H, W), got {tuple(x.shape)}")
        if x.shape[1] != self.num_features:
            raise ValueError(f"expected {self.num_features} channels, got an input of shape {tuple(x.shape)}")

        values = x.to(torch.promote_types(x.dtype, torch.float32))
        if self.training:
            return self._by_batch(values).to(x.dtype)

        per_channel = (1, -1) if x.dim() == 2 else (1, -1, 1, 1)
        scale = torch.rsqrt(self.running_var + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        normalised = (values - self.running_mean.view(per_channel)) * scale.view(per_channel)
        return (normalised + self.bias.view(per_channel)).to(x.dtype)

    def _by_batch(self, values: Tensor) -> Tensor:
        count = values.numel() // self.num_features * self._processes()
        if count < 2:
            raise ValueError(
                f"expected more than 1 value per channel in training mode, got an input of shape "
                f"{tuple(values.shape)}"
            )
        normalised, mean, var = NormaliseByBatch.apply(
            values, self.weight, self.bias, self.eps, count, self._total
        )
        self._update_running_statistics(mean, var * (count / (count - 1)))
        return normalised  # type: ignore[no-any-return]

    def _processes(self) -> int:
        """How many processes share a batch, each with as many images as the others."""
        return 1

    def _total(self, value: Tensor) -> Tensor:
        """The sum of `value` over these processes, as a tensor of its own where they are several."""
        return value

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, unbiased_var: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        for running, batch in ((self.running_mean, mean), (self.running_var, unbiased_var)):
            if self.momentum is None:
                # The weight stays a tensor: a number would have to be fetched from the device.
                running.lerp_(batch.to(running.dtype), (1 / self.num_batches_tracked).to(running.dtype))
            else:
                running.lerp_(batch.to(running.dtype), self.momentum)

    @torch.no_grad()
    def reset_running_stats(self) -> None:
        """Forget the running statistics, as if no batch had been seen."""
        self.running_mean.zero_()
        self.running_var.fill_(1)
        self.num_batches_tracked.zero_()

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


BATCH_NORMS = (BatchNorm, nn.BatchNorm1d, nn.BatchNorm2d, nn.SyncBatchNorm)
"""Every batch-norm class a network of ours may hold, for `isinstance`."""


@torch.no_grad()
def fold_batch_norm(conv: nn.Conv2d, bn: BatchNorm | nn.BatchNorm2d) -> nn.Conv2d:
    """Return one convolution that equals `conv` followed by `bn` in eval mode.

    Per output channel, with s = weight / sqrt(running_var + eps): the kernel is multiplied by s, and the bias
    becomes (bias - running_mean) * s + shift. Computed in float64, returned in the convolution's own type.

    Raises `ValueError` if `bn` is in training mode (its statistics would change with every batch), has no
    running statistics, or has another number of channels than `conv` puts out.
    """
    if bn.training:
        raise ValueError("only a batch norm in eval mode can be folded: call eval() first")
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("only a batch norm with running statistics can be folded")
    if bn.num_features != conv.out_channels:
        raise ValueError(
            f"the batch norm has {bn.num_features} channels, the convolution {conv.out_channels}"
        )

    scale = torch.rsqrt(bn.running_var.double() + bn.eps)
    if bn.weight is not None:
        scale = scale * bn.weight.double()
    bias = conv.bias.double() if conv.bias is not None else torch.zeros_like(scale)
    bias = (bias - bn.running_mean.double()) * scale
    if bn.bias is not None:
        bias = bias + bn.bias.double()

    folded = copy.deepcopy(conv)
    folded.weight = nn.Parameter((conv.weight.double() * scale.view(-1, 1, 1, 1)).to(conv.weight.dtype))
    folded.bias = nn.Parameter(bias.to(conv.weight.dtype))
    return folded
