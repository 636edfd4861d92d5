"""All corruptions at all severities in one set of images."""

import torch
from torch import Tensor

from training.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupt

FEW = 10 * len(CORRUPTIONS) * len(SEVERITIES)


def corrupted_mix(images: Tensor, seed: int = 0) -> Tensor:
    """Uint8 `images` (N, 3, H, W), each under one corruption: all at severity 1, then at 2, and so on.

    Fewer than `FEW` images are corrupted in a random order, so that severities do not go with classes, whose
    images may lie side by side. Raises what `corrupt` raises.
    """
    kinds = [(name, severity) for severity in SEVERITIES for name in CORRUPTIONS]
    order = torch.arange(len(images))
    if len(images) < FEW:
        generator = torch.Generator().manual_seed(seed)
        kinds = [kinds[place] for place in torch.randperm(len(kinds), generator=generator)]
        order = torch.randperm(len(images), generator=generator)
    mixed = torch.empty_like(images)
    for place, (name, severity) in enumerate(kinds[: len(images)]):
        own = order[place :: len(kinds)]
        mixed[own] = corrupt(images[own], name, severity, seed)
    return mixed
