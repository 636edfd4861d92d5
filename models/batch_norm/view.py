"""What batch norm does to a batch in training mode and in eval mode, seen without touching the network."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.batch_norm.layer import BATCH_NORMS
from models.module_calls import MODULE_CALLS


@dataclass(frozen=True)
class BatchNormView:
    """One layer and one batch of N images.

    `logits` (N, classes) are the network's in eval mode, and `before` is what reaches the layer then, (N, C)
    or (N, C, H, W). `training` is what the layer makes of that by the statistics of this batch, `eval` by its
    running ones. All four statistics are (C,); `batch_var` is the biased variance, by which the batch is
    normalised. `weight` and `bias` are the scale and shift that follow, (C,); a layer without scale has none.
    """

    logits: Tensor
    before: Tensor
    training: Tensor
    eval: Tensor
    batch_mean: Tensor
    batch_var: Tensor
    running_mean: Tensor
    running_var: Tensor
    weight: Tensor | None
    bias: Tensor


@torch.inference_mode()
def view_batch_norm(model: nn.Module, layer: str, images: Tensor) -> BatchNormView:
    """What the batch norm named `layer` does to normalised `images` (N, C, S, S), N >= 2.

    `model`, in eval mode, is left as it is, and may be in use meanwhile. Raises `ValueError` if `layer` is no
    batch norm of it that keeps running statistics.
    """
    norm = dict(model.named_modules()).get(layer)
    if not isinstance(norm, BATCH_NORMS) or norm.running_mean is None or norm.running_var is None:
        raise ValueError(f"{layer!r} is no batch norm with running statistics")
    twin = _twin(model)
    own = twin.get_submodule(layer)
    reached: list[Tensor] = []
    hook = own.register_forward_pre_hook(lambda _module, inputs: reached.append(inputs[0]))
    with MODULE_CALLS.computing():
        logits = twin(images)
        hook.remove()
        before = reached[0]
        by_running = own(before)
        by_batch = own.train()(before)
    over = [axis for axis in range(before.dim()) if axis != 1]
    return BatchNormView(
        logits=logits,
        before=before,
        training=by_batch,
        eval=by_running,
        batch_mean=before.mean(over),
        batch_var=before.var(over, unbiased=False),
        running_mean=norm.running_mean,
        running_var=norm.running_var,
        weight=None if norm.weight is None else norm.weight.detach(),
        bias=norm.bias.detach(),
    )


@torch.inference_mode()
def logits_by_running_statistics(model: nn.Module, images: Tensor) -> Tensor:
    """Logits (N, classes) of normalised `images` (N, C, S, S) by `model`, which is in eval mode."""
    with MODULE_CALLS.computing():
        logits: Tensor = model(images)
    return logits


@torch.inference_mode()
def logits_by_batch_statistics(model: nn.Module, images: Tensor) -> Tensor:
    """Logits (N, classes) of normalised `images` (N, C, S, S), N >= 2, with all batch norms in training mode.

    Every one of them normalises by the statistics of this batch, while all else stays in eval mode. So does
    `model`, whose running statistics are not updated, and which may be in use meanwhile.
    """
    twin = _twin(model)
    for module in twin.modules():
        if isinstance(module, BATCH_NORMS):
            module.train()
    with MODULE_CALLS.computing():
        logits: Tensor = twin(images)
    return logits


def _twin(model: nn.Module) -> nn.Module:
    """A copy with modes, hooks and buffers of its own, the running statistics among them.

    The parameters are the model's: reading them is all that is done, and they are nearly all of its memory.
    """
    return copy.deepcopy(model, {id(parameter): parameter for parameter in model.parameters()})
