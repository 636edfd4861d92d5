"""JPEG without a file, against Pillow, which writes and reads one.

libjpeg computes in whole numbers and rounds coefficients that lie between two steps now and then the other
way, so single pixels may differ by more than the mean.
"""

import io
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from models.augmentations.jpeg import Jpeg
from tests.support.goodness_of_fit import equal_counts_misfit

IMAGES = 8
SUBSAMPLINGS = ("4:4:4", "4:2:0")


def smooth_images(height: int, width: int) -> Tensor:
    """Colours that run into one another, with a little noise, in 256 levels."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(IMAGES, 3, 6, 6, generator=generator)
    smooth = F.interpolate(coarse, (height, width), mode="bicubic")
    noise = torch.randn(smooth.shape, generator=generator)
    return ((smooth + 0.02 * noise).clamp(0, 1) * 255).round() / 255


def by_pillow(image: Tensor, quality: int, subsampling: Literal["4:4:4", "4:2:0"]) -> Tensor:
    pixels = (image.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1) / 255


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
@pytest.mark.parametrize("quality", [1, 10, 30, 50, 75, 95, 100])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (24, 40), (41, 17), (96, 64)])
def test_it_does_what_pillow_does(
    height: int, width: int, quality: int, subsampling: Literal["4:4:4", "4:2:0"]
) -> None:
    """Within 1.6 of 255 levels in the mean, and much closer to Pillow's than those are to the original."""
    images = smooth_images(height, width)
    operation = Jpeg(probability=1, quality=(quality, quality), subsampling=subsampling)
    params = operation.sample(IMAGES, (height, width), torch.Generator().manual_seed(0))
    result = operation.apply(images, params)
    expected = torch.stack([by_pillow(image, quality, subsampling) for image in images])
    difference = (result - expected).abs().mean()
    assert difference < 1.6 / 255
    if quality <= 75:
        assert difference < 0.3 * (expected - images).abs().mean()


def test_qualities_are_whole_and_equally_frequent() -> None:
    params = Jpeg(probability=0.35, quality=(20, 90)).sample(
        20_000, (32, 32), torch.Generator().manual_seed(0)
    )
    assert equal_counts_misfit((params["quality"] - 20).long(), 71) < 4
    assert torch.equal(params["quality"], params["quality"].round())
    assert abs(params["applied"].double().mean() - 0.35) < 0.015
    assert abs(params["subsampled"].double().mean() - 0.5) < 0.015


@pytest.mark.parametrize(("subsampling", "share"), [("4:4:4", 0), ("4:2:0", 1)])
def test_one_subsampling_is_kept_to(subsampling: Literal["4:4:4", "4:2:0"], share: int) -> None:
    params = Jpeg(subsampling=subsampling).sample(100, (32, 32), torch.Generator().manual_seed(0))
    assert params["subsampled"].double().mean() == share


def test_only_the_chosen_images_are_compressed() -> None:
    images = smooth_images(32, 32)
    params = Jpeg().sample(IMAGES, (32, 32), torch.Generator().manual_seed(0))
    applied = params["applied"]
    changed = (Jpeg().apply(images, params) != images).flatten(1).any(1)
    assert torch.equal(changed, applied)
    assert 0 < applied.sum() < IMAGES


def test_other_than_three_channels_are_refused() -> None:
    params = Jpeg().sample(2, (8, 8), torch.Generator().manual_seed(0))
    with pytest.raises(ValueError, match="images must have 3 channels, got 1"):
        Jpeg().apply(torch.rand(2, 1, 8, 8), params)
