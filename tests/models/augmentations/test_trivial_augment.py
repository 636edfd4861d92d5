"""Every operation against torchvision's, image by image, and the draws against what they promise."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, TrivialAugmentWide
from torchvision.transforms.v2 import functional as F

from models.augmentations.trivial_augment import LEVELS, OPERATIONS, TrivialAugment
from tests.support.goodness_of_fit import equal_counts_misfit

TOLERANCE = 1e-5
STRENGTHS = (-1.0, -0.7, -0.1, 0.0, 0.1, 0.5, 1.0)


def affine(image: Tensor, **changes: object) -> Tensor:
    neutral = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
    result: Tensor = F.affine(image, **(neutral | changes), interpolation=InterpolationMode.BILINEAR)
    return result


def shear(image: Tensor, x: float, y: float) -> Tensor:
    degrees = [math.degrees(math.atan(x)), math.degrees(math.atan(y))]
    return affine(image, shear=degrees, center=[0, 0])


REFERENCES: dict[str, Callable[[Tensor, float], Tensor]] = {
    "identity": lambda image, _: image,
    "brightness": lambda image, s: F.adjust_brightness(image, 1 + 0.99 * s),
    "contrast": lambda image, s: F.adjust_contrast(image, 1 + 0.99 * s),
    "saturation": lambda image, s: F.adjust_saturation(image, 1 + 0.99 * s),
    "sharpness": lambda image, s: F.adjust_sharpness(image, 1 + 0.99 * s),
    "posterize": lambda image, s: F.posterize((image * 255).round().byte(), 8 - round(abs(s) * 6)) / 255,
    "solarize": lambda image, s: F.solarize(image, 1 - abs(s)),
    "autocontrast": lambda image, _: F.autocontrast(image),
    "equalize": lambda image, _: F.equalize(image),
    "rotate": lambda image, s: F.rotate(image, 135 * s, interpolation=InterpolationMode.BILINEAR),
    "shear_x": lambda image, s: shear(image, 0.99 * s, 0),
    "shear_y": lambda image, s: shear(image, 0, 0.99 * s),
    "translate_x": lambda image, s: affine(image, translate=[32 * s, 0]),
    "translate_y": lambda image, s: affine(image, translate=[0, 32 * s]),
}


def photographs(height: int, width: int) -> Tensor:
    """Images of smooth and of noisy parts in 256 steps, one of them flat and one of two values only."""
    generator = torch.Generator().manual_seed(0)
    n = len(STRENGTHS)
    smooth = torch.rand(n, 3, 2, 2, generator=generator)
    images = torch.nn.functional.interpolate(smooth, (height, width), mode="bilinear")
    images = images * 0.7 + torch.rand(images.shape, generator=generator) * 0.2
    images[1] = 0.4
    images[2] = (images[2] > 0.5).float()
    return (images * 255).round() / 255


def apply(name: str, images: Tensor) -> Tensor:
    operation = torch.full((len(images),), OPERATIONS.index(name))
    params = {"operation": operation, "strength": torch.tensor(STRENGTHS)}
    return TrivialAugment().apply(images, params)


def test_there_is_a_reference_for_every_operation() -> None:
    assert tuple(REFERENCES) == OPERATIONS


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("size", [(32, 32), (40, 25), (2, 5)], ids=str)
def test_each_operation_equals_torchvisions(name: str, size: tuple[int, int]) -> None:
    images = photographs(*size)
    for image, strength, got in zip(images, STRENGTHS, apply(name, images), strict=True):
        expected = REFERENCES[name](image, strength)
        torch.testing.assert_close(got, expected, atol=TOLERANCE, rtol=0, msg=f"strength {strength}")


def test_what_an_operation_leaves_alone_it_leaves_bit_for_bit() -> None:
    images = photographs(32, 32)
    assert torch.equal(apply("identity", images), images)


def test_solarising_inverts_pure_white_at_every_strength_as_torchvisions_does() -> None:
    levels = TrivialAugmentWide()._augmentation_space(LEVELS + 1)["Solarize"][0]
    assert levels[0] == 255
    white = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    assert (F.solarize(white, float(levels[0])) == 0).all()
    params = {"operation": torch.tensor([OPERATIONS.index("solarize")]), "strength": torch.zeros(1)}
    assert (TrivialAugment().apply(white / 255, params) == 0).all()


def test_each_image_gets_its_own_operation() -> None:
    images = photographs(20, 20)[:1].expand(len(OPERATIONS), -1, -1, -1)
    strength = torch.full((len(OPERATIONS),), 0.4)
    mixed = TrivialAugment().apply(images, {"operation": torch.arange(len(OPERATIONS)), "strength": strength})
    for name, image, got in zip(OPERATIONS, images, mixed, strict=True):
        torch.testing.assert_close(got, REFERENCES[name](image, 0.4), atol=TOLERANCE, rtol=0, msg=name)


def test_operations_levels_and_directions_are_equally_frequent() -> None:
    params = TrivialAugment().sample(20_000, (32, 32), torch.Generator().manual_seed(0))
    assert equal_counts_misfit(params["operation"], len(OPERATIONS)) < 4
    levels = params["strength"].abs() * 30
    assert (levels - levels.round()).abs().max() < 1e-5
    assert equal_counts_misfit(levels.round().long(), 31) < 4
    directions = (params["strength"] > 0)[levels > 0.5]
    assert equal_counts_misfit(directions.long(), 2) < 4


def test_strength_scales_what_is_drawn() -> None:
    whole, half = (
        TrivialAugment(strength=strength).sample(1000, (32, 32), torch.Generator().manual_seed(0))
        for strength in (1.0, 0.5)
    )
    assert torch.equal(whole["operation"], half["operation"])
    torch.testing.assert_close(half["strength"], whole["strength"] / 2)


def test_other_than_three_channels_are_refused() -> None:
    params = {"operation": torch.zeros(2, dtype=torch.int64), "strength": torch.zeros(2)}
    with pytest.raises(ValueError, match="images must have 3 channels, got 1"):
        TrivialAugment().apply(torch.rand(2, 1, 4, 4), params)
