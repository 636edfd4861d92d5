"""Falling snow: smeared flakes over a picture that is paler for it."""

from dataclasses import dataclass

import numpy as np

from training.evaluation.corruptions.picture import Picture, smeared, zoomed


@dataclass(frozen=True)
class Snow:
    """Flakes are normal numbers of `mean` and `scale`, enlarged `zoom` times, where they exceed `threshold`.

    They fall along `radius` and `sigma` (see `smeared`); the picture keeps the share `kept` of its colour.
    """

    mean: float
    scale: float
    zoom: float
    threshold: float
    radius: int
    sigma: float
    kept: float


SNOW = (
    Snow(0.1, 0.2, 1, 0.6, 8, 3, 0.95),
    Snow(0.1, 0.2, 1, 0.5, 10, 4, 0.9),
    Snow(0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
    Snow(0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
    Snow(0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
)
LUMA = np.array([0.299, 0.587, 0.114])
"""Rec. 601, as in JPEG: the share of each colour in what is bright."""


def snow(picture: Picture, severity: int, random: np.random.Generator) -> Picture:
    chosen = SNOW[severity - 1]
    layer = random.normal(chosen.mean, chosen.scale, size=(*picture.shape[:2], 1))
    layer = zoomed(layer, chosen.zoom)
    flakes = np.clip(np.where(layer < chosen.threshold, 0, layer), 0, 1)
    flakes = smeared(flakes, chosen.radius, chosen.sigma, random.uniform(-135, -45))
    grey = (picture @ LUMA)[:, :, None]
    pale = np.maximum(picture, grey * 1.5 + 0.5)
    return np.asarray(chosen.kept * picture + (1 - chosen.kept) * pale + flakes + np.rot90(flakes, 2))
