"""What lies beyond an image's edges: its mirror image, as often as needed, ... c b a | a b c | c b a ..."""

import torch
from torch import Tensor


def mirrored_positions(size: int, margin: int, device: torch.device) -> Tensor:
    """The pixels of one axis that positions -margin..size + margin - 1 show, int64 (size + 2 * margin,)."""
    position = torch.arange(-margin, size + margin, device=device).remainder(2 * size)
    return torch.minimum(position, 2 * size - 1 - position)


def fold(weights: Tensor, size: int) -> Tensor:
    """Give to the pixels of one axis the weights of the positions that show them.

    `weights`, float (N, rows, size + 2 * margin), are for the positions of `mirrored_positions`; the result
    is (N, rows, size).
    """
    margin = (weights.shape[2] - size) // 2
    pixels = mirrored_positions(size, margin, weights.device)
    shows = pixels.view(-1, 1) == torch.arange(size, device=weights.device)
    return weights @ shows.to(weights.dtype)
