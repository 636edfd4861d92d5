import colorsys

import torch
from torch import Tensor

from models.augmentations.hsv import hsv_to_rgb, rgb_to_hsv

STEPS = torch.linspace(0, 1, 6)
# Every colour of a 6 x 6 x 6 cube, greys, black, white and pure colours among them, as one image.
CUBE = torch.cartesian_prod(STEPS, STEPS, STEPS).T.reshape(1, 3, 12, 18)


def colours(image: Tensor) -> list[list[float]]:
    return image.flatten(2)[0].T.tolist()


def test_hsv_equals_the_standard_librarys() -> None:
    expected = [colorsys.rgb_to_hsv(*colour) for colour in colours(CUBE)]
    torch.testing.assert_close(torch.tensor(colours(rgb_to_hsv(CUBE))), torch.tensor(expected))


def test_rgb_equals_the_standard_librarys() -> None:
    expected = [colorsys.hsv_to_rgb(*colour) for colour in colours(CUBE)]
    torch.testing.assert_close(torch.tensor(colours(hsv_to_rgb(CUBE))), torch.tensor(expected))


def test_there_and_back_gives_the_same_colours() -> None:
    torch.testing.assert_close(hsv_to_rgb(rgb_to_hsv(CUBE)), CUBE)


def test_hues_are_taken_modulo_1() -> None:
    shifted = CUBE.clone()
    shifted[:, 0] -= 1
    torch.testing.assert_close(hsv_to_rgb(shifted), hsv_to_rgb(CUBE), atol=2e-6, rtol=0)
