"""Colours by code points: which are known, and that greys stay grey whatever white they are seen in."""

import numpy as np
import pytest
from PIL import Image

from models.preprocessing.coded_colours import by_code_points


def converted(primaries: int, colour: tuple[int, int, int]) -> np.ndarray:
    colours = by_code_points(primaries, 13)
    assert colours is not None
    image = colours.to_srgb(Image.new("RGB", (1, 1), colour))
    levels: np.ndarray = np.asarray(image).astype(int)[0, 0]
    return levels


@pytest.mark.parametrize("primaries", [1, 4, 5, 6, 7, 9, 11, 12, 22])
def test_greys_stay_grey(primaries: int) -> None:
    for level in (0, 100, 255):
        assert np.abs(converted(primaries, (level, level, level)) - level).max() <= 2


@pytest.mark.parametrize(("primaries", "redder"), [(6, -1), (9, 1), (11, 1), (12, 1)])
def test_a_red_becomes_redder_by_wider_primaries(primaries: int, redder: int) -> None:
    assert np.sign(converted(primaries, (200, 90, 80))[0] - 200) == redder


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 16), (9, 18), (2, 13), (1, 2), (0, 0), (99, 13)])
def test_of_others_nothing_is_said(primaries: int, transfer: int) -> None:
    assert by_code_points(primaries, transfer) is None
