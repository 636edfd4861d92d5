"""All corruptions at all severities in one set of images."""

import torch
from torch import Tensor

from training.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupt


def corrupted_mix(images: Tensor, seed: int = 0) -> Tensor:
    """Uint8 `images` (N, 3, H, W), each under one corruption: all at severity 1, then at 2, and so on.

    Raises what `corrupt` raises.
    """
    kinds = [(name, severity) for severity in SEVERITIES for name in CORRUPTIONS]
    mixed = torch.empty_like(images)
    for place, (name, severity) in enumerate(kinds[: len(images)]):
        mixed[place :: len(kinds)] = corrupt(images[place :: len(kinds)], name, severity, seed)
    return mixed
