from typing import Literal

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from models.augmentations.random_crop import RandomCrop
from tests.support.goodness_of_fit import equal_counts_misfit

HEIGHT, WIDTH = 6, 9


def images(n: int) -> Tensor:
    return torch.rand(n, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("padding_mode", "reference_mode"),
    [("zero", "constant"), ("reflect", "reflect")],
    ids=["zero", "reflect"],
)
@pytest.mark.parametrize("padding", [0, 1, 3, 5])
def test_every_window_equals_torchvisions_pad_and_crop(
    padding: int, padding_mode: Literal["zero", "reflect"], reference_mode: str
) -> None:
    offsets = torch.arange(2 * padding + 1)
    top, left = torch.cartesian_prod(offsets, offsets).unbind(1)
    originals = images(len(top))
    result = RandomCrop(padding=padding, padding_mode=padding_mode).apply(
        originals, {"top": top, "left": left}
    )
    for image, y, x, got in zip(originals, top.tolist(), left.tolist(), result, strict=True):
        padded = F.pad(image, [padding], padding_mode=reference_mode)
        assert torch.equal(got, F.crop(padded, y, x, HEIGHT, WIDTH))


def test_the_central_window_is_the_image() -> None:
    centre = torch.tensor([4, 4])
    assert torch.equal(RandomCrop(padding=4).apply(images(2), {"top": centre, "left": centre}), images(2))


def test_zero_padding_may_exceed_the_image() -> None:
    corner = torch.tensor([0])
    assert not RandomCrop(padding=20).apply(images(1), {"top": corner, "left": corner}).any()


@pytest.mark.parametrize("padding", [0, 1, 4])
def test_offsets_are_uniform_and_independent(padding: int) -> None:
    places = 2 * padding + 1
    params = RandomCrop(padding=padding).sample(20_000, (32, 32), torch.Generator().manual_seed(0))
    assert params["top"].dtype == params["left"].dtype == torch.int64
    if padding == 0:
        assert not params["top"].any()
        assert not params["left"].any()
    else:
        assert equal_counts_misfit(params["top"] * places + params["left"], places**2) < 4


def test_an_image_too_small_to_be_reflected_is_refused_when_sampling_and_applying() -> None:
    crop = RandomCrop(padding=6, padding_mode="reflect")
    with pytest.raises(ValueError, match="padding must be smaller than the image to reflect it"):
        crop.sample(1, (HEIGHT, WIDTH), torch.Generator())
    corner = torch.tensor([0])
    with pytest.raises(ValueError, match=r"\(6 by 9 pixels\), got 6"):
        crop.apply(images(1), {"top": corner, "left": corner})
