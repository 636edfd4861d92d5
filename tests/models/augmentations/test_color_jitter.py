import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from models.augmentations.base import Params
from models.augmentations.color_jitter import ColorJitter
from tests.support.goodness_of_fit import equal_counts_misfit, uniform_misfit

REFERENCES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "brightness": F.adjust_brightness,
    "contrast": F.adjust_contrast,
    "saturation": F.adjust_saturation,
    "hue": F.adjust_hue,
}
NAMES = list(REFERENCES)


def random_images(n: int) -> Tensor:
    return torch.rand(n, 3, 6, 9, generator=torch.Generator().manual_seed(0))


def neutral(n: int) -> Params:
    """Parameters of `n` images that change nothing."""
    params = {name: torch.ones(n) for name in NAMES[:3]}
    return params | {
        "hue": torch.zeros(n),
        "order": torch.arange(4).repeat(n, 1),
        "applied": torch.ones(n, dtype=torch.bool),
    }


@pytest.mark.parametrize(
    ("name", "factors"),
    [
        ("brightness", [0.0, 0.3, 1.0, 1.7, 2.0]),
        ("contrast", [0.0, 0.3, 1.0, 1.7, 2.0]),
        ("saturation", [0.0, 0.3, 1.0, 1.7, 2.0]),
        ("hue", [-0.5, -0.2, 0.0, 0.3, 0.5]),
    ],
)
def test_each_change_equals_torchvisions(name: str, factors: list[float]) -> None:
    images = random_images(len(factors))
    result = ColorJitter().apply(images, neutral(len(factors)) | {name: torch.tensor(factors)})
    for image, factor, got in zip(images, factors, result, strict=True):
        torch.testing.assert_close(got, REFERENCES[name](image, factor), atol=1e-5, rtol=0)


def test_every_order_of_the_changes_equals_torchvisions() -> None:
    order = torch.tensor(list(itertools.permutations(range(4))))
    images = random_images(len(order))
    params = ColorJitter(brightness=1, contrast=1, saturation=1, hue=0.5).sample(
        len(order), (6, 9), torch.Generator().manual_seed(0)
    )
    params["order"] = order
    result = ColorJitter().apply(images, params)
    for i, image in enumerate(images):
        expected = image
        for number in order[i].tolist():
            name = NAMES[number]
            expected = REFERENCES[name](expected, float(params[name][i]))
        torch.testing.assert_close(result[i], expected, atol=1e-5, rtol=0)


def test_greys_black_and_white_keep_their_hue() -> None:
    greys = torch.tensor([0.0, 0.25, 1.0]).view(3, 1, 1, 1).expand(3, 3, 2, 2)
    turned = ColorJitter().apply(greys, neutral(3) | {"hue": torch.tensor([0.3, -0.5, 0.5])})
    torch.testing.assert_close(turned, greys)


def test_neutral_factors_change_no_bit() -> None:
    assert torch.equal(ColorJitter().apply(random_images(3), neutral(3)), random_images(3))


def test_half_precision_is_computed_in_float32() -> None:
    params = ColorJitter(brightness=1, contrast=1, saturation=1, hue=0.5).sample(
        8, (6, 9), torch.Generator().manual_seed(0)
    )
    images = random_images(8).half()
    assert torch.equal(
        ColorJitter().apply(images, params), ColorJitter().apply(images.float(), params).half()
    )


def test_factors_are_uniform_around_the_neutral_one() -> None:
    jitter = ColorJitter(brightness=0.4, contrast=0.7, saturation=1.0, hue=0.2)
    params = jitter.sample(5000, (32, 32), torch.Generator().manual_seed(0))
    for name, low, high in (
        ("brightness", 0.6, 1.4),
        ("contrast", 0.3, 1.7),
        ("saturation", 0.0, 2.0),
        ("hue", -0.2, 0.2),
    ):
        assert uniform_misfit(params[name], low, high) < 1.95, name
    factors = torch.stack([params[name] for name in NAMES])
    assert (torch.corrcoef(factors) - torch.eye(4)).abs().max() < 0.06


def test_strength_0_leaves_the_factors_neutral() -> None:
    params = ColorJitter(brightness=0, contrast=0, saturation=0, hue=0).sample(
        100, (32, 32), torch.Generator().manual_seed(0)
    )
    for name, expected in neutral(100).items():
        if name != "order":
            assert torch.equal(params[name], expected), name


def test_all_orders_are_equally_frequent() -> None:
    order = ColorJitter().sample(10_000, (32, 32), torch.Generator().manual_seed(0))["order"]
    assert order.shape == (10_000, 4)
    permutations = {
        permutation: number for number, permutation in enumerate(itertools.permutations(range(4)))
    }
    numbers = torch.tensor([permutations[tuple(row)] for row in order.tolist()])
    assert equal_counts_misfit(numbers, 24) < 4


def test_other_than_three_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="images must have 3 channels, got 1"):
        ColorJitter().apply(torch.rand(2, 1, 4, 4), neutral(2))
