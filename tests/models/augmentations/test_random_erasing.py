import math

import pytest
import torch
from torchvision.transforms.v2 import functional as F

from models.augmentations.random_erasing import RandomErasing
from tests.support.goodness_of_fit import equal_counts_misfit, uniform_misfit

HEIGHT, WIDTH = 6, 9


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_rectangles_are_erased_as_by_torchvision(value: float) -> None:
    rectangles = {
        "nothing": (0, 0, 0, 0),
        "one pixel": (2, 3, 1, 1),
        "inside": (1, 2, 3, 5),
        "top left corner": (0, 0, 2, 4),
        "bottom right corner": (4, 5, 2, 4),
        "one column": (0, 8, 6, 1),
        "one row": (5, 0, 1, 9),
        "everything": (0, 0, 6, 9),
    }
    images = torch.rand(len(rectangles), 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    columns = torch.tensor(list(rectangles.values())).unbind(1)
    params = dict(zip(("top", "left", "height", "width"), columns, strict=True))
    result = RandomErasing(value=value).apply(images, params)
    for (name, rectangle), image, got in zip(rectangles.items(), images, result, strict=True):
        assert torch.equal(got, F.erase(image, *rectangle, v=torch.tensor(value))), name


def test_images_are_erased_with_the_stated_probability() -> None:
    for probability in (0.0, 0.25, 1.0):
        params = RandomErasing(probability=probability).sample(
            10_000, (32, 32), torch.Generator().manual_seed(0)
        )
        erased = params["height"] > 0
        # The standard deviation of the mean is below 0.005.
        assert abs(float(erased.float().mean()) - probability) <= 0.02
        assert torch.equal(erased, params["width"] > 0)
        assert not params["top"][~erased].any()
        assert not params["left"][~erased].any()


def test_sampled_areas_ratios_and_corners_are_as_stated() -> None:
    size = 1000
    params = RandomErasing(probability=1, scale=(0.05, 0.3), ratio=(0.5, 2)).sample(
        5000, (size, size), torch.Generator().manual_seed(0)
    )
    assert uniform_misfit(params["height"] * params["width"] / size**2, 0.05, 0.3) < 1.95
    ratios = params["height"] / params["width"]
    assert uniform_misfit(ratios.log(), -math.log(2), math.log(2)) < 1.95
    for start, length in (("top", "height"), ("left", "width")):
        deciles = (10 * params[start] / (size - params[length] + 1)).long()
        assert equal_counts_misfit(deciles, 10) < 4


def test_rectangles_lie_within_the_image_and_are_smaller() -> None:
    for height, width in ((32, 32), (4, 50), (50, 4)):
        params = RandomErasing(probability=1).sample(2000, (height, width), torch.Generator().manual_seed(0))
        for start, length, size in (("top", "height", height), ("left", "width", width)):
            assert params[start].min() >= 0
            assert (params[start] + params[length]).max() <= size
            assert params[length].max() < size


def test_where_no_attempt_fits_nothing_is_erased() -> None:
    params = RandomErasing(probability=1, scale=(1, 1), ratio=(1, 1)).sample(
        50, (8, 8), torch.Generator().manual_seed(0)
    )
    assert not any(value.any() for value in params.values())
