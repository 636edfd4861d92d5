"""Brightness and sharpness against their definitions, computed another way."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter, laplace

from models.image_statistics import brightness_and_sharpness


def _images(count: int, channels: int = 3, side: int = 32) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, channels, side, side), np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_both_are_what_they_are_defined_to_be(channels: int) -> None:
    images = _images(5, channels)
    brightness, sharpness = brightness_and_sharpness(images)
    for image, bright, sharp in zip(images, brightness, sharpness, strict=True):
        grey = image.astype(np.float64).mean(0) / 255
        assert bright.item() == pytest.approx(grey.mean(), rel=1e-5)
        assert sharp.item() == pytest.approx(laplace(grey)[1:-1, 1:-1].var(), rel=1e-5)


def test_floating_point_pixels_count_as_the_same() -> None:
    images = _images(4)
    floats = images.astype(np.float32)
    floats /= 255
    for one, other in zip(brightness_and_sharpness(images), brightness_and_sharpness(floats), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4)


def test_black_and_white_are_the_ends_and_even_images_are_not_sharp() -> None:
    images = np.stack([np.zeros((3, 8, 8), np.float32), np.ones((3, 8, 8), np.float32)])
    brightness, sharpness = brightness_and_sharpness(images)
    assert brightness.tolist() == [0, 1]
    assert sharpness.tolist() == [0, 0]


def test_blur_makes_less_sharp() -> None:
    image = _images(1).astype(np.float32) / 255
    blurred = [gaussian_filter(image, (0, 0, sigma, sigma)) for sigma in (0, 0.5, 1, 2)]
    sharpness = [brightness_and_sharpness(each)[1].item() for each in blurred]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[-1] < sharpness[0] / 100


@pytest.mark.parametrize("side", [1, 2])
def test_images_too_small_for_a_laplacian_have_no_sharpness(side: int) -> None:
    brightness, sharpness = brightness_and_sharpness(_images(2, side=side))
    assert bool((brightness > 0).all())
    assert sharpness.tolist() == [0, 0]
