"""Evidence drawn over an image. Knows nothing of HTTP."""

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

SIDE = 256
"""Pixels of the drawing's sides, at most, where the image has fewer: it is enlarged by a whole factor."""

STRONGEST = 0.8
"""Opacity of the colour where the evidence is greatest; there is none where it is 0 or below."""

INFERNO = (
    *((0, 0, 4), (11, 7, 36), (33, 12, 74), (61, 9, 101), (87, 16, 110), (113, 25, 110), (138, 34, 106)),
    *((163, 44, 97), (188, 55, 84), (210, 70, 68), (228, 90, 49), (241, 115, 29), (249, 142, 9)),
    *((252, 172, 17), (249, 203, 53), (242, 234, 105), (252, 255, 164)),
)
"""Red, green and blue at equal distances from no evidence to the greatest; it grows lighter all the way.

Source: the colour map of this name by Nathaniel J. Smith and Stéfan van der Walt, 2015,
https://bids.github.io/colormap/, CC0.
"""


def overlay_png(image: Tensor, evidence: Tensor) -> bytes:
    """`image`, uint8 (1 or 3, S, S), under the positive part of `evidence`, float32 (h, w), as PNG.

    Pixels stay squares, while the evidence changes smoothly from place to place. Its scale is the map's own:
    the place with the most has the last colour. A map with nothing above 0 leaves the image as it is.
    """
    side = image.shape[1] * max(1, SIDE // image.shape[1])
    pixels = F.interpolate(image.expand(3, -1, -1).unsqueeze(0).float(), (side, side), mode="nearest")[0]
    strength = strength_of(evidence, side)
    opacity = STRONGEST * strength
    drawn = pixels * (1 - opacity) + colours(strength) * opacity
    png = io.BytesIO()
    Image.fromarray(drawn.round().byte().permute(1, 2, 0).contiguous().numpy()).save(png, "PNG")
    return png.getvalue()


def strength_of(evidence: Tensor, side: int) -> Tensor:
    """`evidence` (h, w) as shares 0..1 of its greatest value, smoothly enlarged to (side, side)."""
    positive = evidence.clamp(min=0)
    shares = positive / positive.max().clamp(min=torch.finfo(positive.dtype).tiny)
    enlarged = F.interpolate(shares[None, None], (side, side), mode="bicubic", align_corners=False)
    return enlarged[0, 0].clamp(0, 1)


def colours(strength: Tensor) -> Tensor:
    """Values 0..1 of any shape (H, W) to red, green and blue 0..255, (3, H, W)."""
    places = np.linspace(0, 1, len(INFERNO))
    channels = [np.interp(strength.numpy(), places, channel) for channel in np.array(INFERNO).T]
    return torch.from_numpy(np.stack(channels)).float()
