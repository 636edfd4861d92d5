"""Images that show none of the classes, made from images of them.

The detector of unfamiliar images needs some, and where a data set holds its classes alone there are no
others. Of several ways to make them, these two helped on pictures of all kinds; `training/LOG.md` has the
measurement.
"""

import torch
from torch import Tensor

from models.augmentations.random_resized_crop import RandomResizedCrop
from training.evaluation.batch_size import batch_size

DETAIL = RandomResizedCrop(scale=(0.035, 0.25), ratio=(1, 1))
"""A fifth to a half of the image's side: a patch of fur or sky, and no subject."""
PER_IMAGE = 2
"""Outliers that are made of an image."""
SEED = 0


def made_outliers(images: Tensor) -> Tensor:
    """Of each of `images`, uint8 (N, C, S, S), a detail enlarged to the whole, and then the negative of each.

    Uint8 (`PER_IMAGE` N, C, S, S), always the same.
    """
    generator = torch.Generator().manual_seed(SEED)
    enlarged = []
    # In parts: as floats, all of them would take four times the memory.
    for part in torch.split(images, batch_size(images)):
        parameters = DETAIL.sample(len(part), (part.shape[2], part.shape[3]), generator)
        enlarged.append((DETAIL.apply(part / 255, parameters) * 255).round().to(torch.uint8))
    return torch.cat([*enlarged, 255 - images])
