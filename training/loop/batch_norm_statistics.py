"""Running statistics that belong to averaged weights: those of the weights on their way do not."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from models.batch_norm.layer import BATCH_NORMS
from training.loop.device import autocast


@torch.no_grad()
def reestimate_batch_norm(model: nn.Module, batches: Iterable[Tensor], dtype: torch.dtype) -> None:
    """Set all running statistics of `model` to their plain mean over `batches` of images (N, C, H, W).

    `dtype` is that of the arithmetic. Nothing but the statistics changes. Raises `ValueError` where there is
    no batch, for the network would be left without statistics.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018,
    https://arxiv.org/abs/1803.05407.
    """
    norms = [module for module in model.modules() if isinstance(module, BATCH_NORMS)]
    momenta = [norm.momentum for norm in norms]
    modes = {module: module.training for module in model.modules()}
    seen = 0
    # Whatever else differs between the modes stays as at inference.
    model.eval()
    try:
        for norm in norms:
            norm.train()
            norm.momentum = None
            norm.reset_running_stats()
        for images in batches:
            with autocast(images.device, dtype):
                model(images)
            seen += 1
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, training in modes.items():
            module.training = training
    if not seen:
        raise ValueError("batches must hold at least one batch")
