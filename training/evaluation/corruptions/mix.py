"""All corruptions at all strengths in one set of images."""

import torch
from torch import Tensor

from training.evaluation.corruptions import CORRUPTIONS, STRENGTHS, corrupt


def corrupted_mix(images: Tensor, seed: int = 0) -> Tensor:
    """Uint8 `images` (N, 3, H, W), each under one corruption: all at strength 1, then at 2, and so on.

    Raises what `corrupt` raises.
    """
    kinds = [(name, strength) for strength in STRENGTHS for name in CORRUPTIONS]
    mixed = torch.empty_like(images)
    for place, (name, strength) in enumerate(kinds[: len(images)]):
        mixed[place :: len(kinds)] = corrupt(images[place :: len(kinds)], name, strength, seed)
    return mixed
