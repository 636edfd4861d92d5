import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from models.augmentations.base import Params
from models.augmentations.random_resized_crop import RandomResizedCrop
from tests.support.goodness_of_fit import equal_counts_misfit, uniform_misfit


def assert_equals_torchvision(images: Tensor, params: Params) -> None:
    height, width = images.shape[2:]
    result = RandomResizedCrop().apply(images, params)
    for i, image in enumerate(images):
        top, left, crop_height, crop_width = (
            int(params[key][i]) for key in ("top", "left", "height", "width")
        )
        expected = F.resized_crop(image, top, left, crop_height, crop_width, [height, width], antialias=True)
        torch.testing.assert_close(result[i], expected, atol=1e-5, rtol=0)


def random_images(n: int, height: int, width: int) -> Tensor:
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("height", "width"), [(5, 5), (4, 7), (1, 6)])
def test_every_possible_crop_equals_torchvisions(height: int, width: int) -> None:
    crops = torch.tensor(
        [
            (top, left, crop_height, crop_width)
            for crop_height in range(1, height + 1)
            for crop_width in range(1, width + 1)
            for top in range(height - crop_height + 1)
            for left in range(width - crop_width + 1)
        ]
    )
    params = dict(zip(("top", "left", "height", "width"), crops.unbind(1), strict=True))
    assert_equals_torchvision(random_images(len(crops), height, width), params)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (96, 64)])
def test_sampled_crops_equal_torchvisions(height: int, width: int) -> None:
    params = RandomResizedCrop().sample(32, (height, width), torch.Generator().manual_seed(0))
    assert_equals_torchvision(random_images(32, height, width), params)


def test_the_whole_image_comes_out_unchanged() -> None:
    images = random_images(3, 32, 20)
    params = RandomResizedCrop(scale=(1, 1), ratio=(20 / 32, 20 / 32)).sample(3, (32, 20), torch.Generator())
    torch.testing.assert_close(RandomResizedCrop().apply(images, params), images, atol=1e-6, rtol=0)


def test_sampled_areas_are_uniform_and_corners_too() -> None:
    size = 1000
    params = RandomResizedCrop(scale=(0.1, 0.5), ratio=(0.8, 1.25)).sample(
        5000, (size, size), torch.Generator().manual_seed(0)
    )
    shares = params["height"] * params["width"] / size**2
    assert uniform_misfit(shares, 0.1, 0.5) < 1.95
    ratios = params["width"] / params["height"]
    assert uniform_misfit(ratios.log(), -0.2231436, 0.2231436) < 1.95
    for start, length in (("top", "height"), ("left", "width")):
        deciles = (10 * params[start] / (size - params[length] + 1)).long()
        assert equal_counts_misfit(deciles, 10) < 4


def test_crops_lie_within_the_image() -> None:
    for height, width in ((32, 32), (3, 50), (50, 3), (1, 1)):
        params = RandomResizedCrop().sample(2000, (height, width), torch.Generator().manual_seed(0))
        for start, length, size in (("top", "height", height), ("left", "width", width)):
            assert params[start].min() >= 0
            assert params[length].min() >= 1
            assert (params[start] + params[length]).max() <= size


@pytest.mark.parametrize(
    ("image_size", "ratio", "crop"),
    [
        ((10, 40), (0.5, 2.0), (0, 10, 10, 20)),
        ((41, 10), (0.5, 2.0), (10, 0, 20, 10)),
        ((20, 2), (20.0, 20.0), (9, 0, 1, 2)),
        ((2, 20), (0.05, 0.05), (0, 9, 2, 1)),
    ],
)
def test_where_no_attempt_fits_the_largest_allowed_central_crop_is_taken(
    image_size: tuple[int, int], ratio: tuple[float, float], crop: tuple[int, int, int, int]
) -> None:
    params = RandomResizedCrop(scale=(1, 1), ratio=ratio).sample(
        50, image_size, torch.Generator().manual_seed(0)
    )
    for key, expected in zip(("top", "left", "height", "width"), crop, strict=True):
        assert (params[key] == expected).all(), key
