"""Changes of values equal those of Pillow."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps

from models.augmentations.tones import posterize


@pytest.mark.parametrize("bits", range(1, 9))
def test_posterizing_equals_pillows_for_every_value(bits: int) -> None:
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).convert("RGB")
    expected = torch.from_numpy(np.asarray(ImageOps.posterize(ramp, bits)).copy()).permute(2, 0, 1)
    values = torch.from_numpy(np.asarray(ramp).copy()).permute(2, 0, 1)
    posterized = posterize(values[None] / 255, torch.tensor([bits]))
    assert torch.equal(posterized[0], expected / 255)


def test_every_image_keeps_its_own_number_of_bits() -> None:
    images = torch.full((3, 1, 1, 1), 200 / 255)
    assert (posterize(images, torch.tensor([8, 1, 0])) * 255).round().flatten().tolist() == [200, 128, 0]
