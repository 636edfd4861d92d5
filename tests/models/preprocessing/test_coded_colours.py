"""Colours by code points: which are known, and that greys stay grey whatever white they are seen in."""

import numpy as np
import pytest
from PIL import Image

from models.preprocessing.coded_colours import by_code_points, by_code_points_in_part


def converted(primaries: int, colour: tuple[int, int, int]) -> np.ndarray:
    colours = by_code_points(primaries, 13)
    assert colours is not None
    image = colours.to_srgb(Image.new("RGB", (1, 1), colour))
    levels: np.ndarray = np.asarray(image).astype(int)[0, 0]
    return levels


@pytest.mark.parametrize("primaries", [1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 22])
def test_greys_stay_grey(primaries: int) -> None:
    for level in (0, 100, 255):
        assert np.abs(converted(primaries, (level, level, level)) - level).max() <= 2


@pytest.mark.parametrize(("primaries", "redder"), [(6, -1), (8, 1), (9, 1), (10, 1), (11, 1), (12, 1)])
def test_a_red_becomes_redder_by_wider_primaries(primaries: int, redder: int) -> None:
    assert np.sign(converted(primaries, (200, 90, 80))[0] - 200) == redder


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 16), (9, 18), (2, 13), (1, 2), (0, 0), (99, 13)])
def test_of_others_nothing_is_said(primaries: int, transfer: int) -> None:
    assert by_code_points(primaries, transfer) is None


@pytest.mark.parametrize(("stated", "meant"), [((2, 8), (1, 8)), ((2, 1), (1, 1)), ((12, 2), (12, 13))])
def test_those_of_srgb_stand_for_one_that_is_unspecified(
    stated: tuple[int, int], meant: tuple[int, int]
) -> None:
    assert by_code_points(*stated) is None
    assert by_code_points_in_part(*stated) == by_code_points(*meant)


@pytest.mark.parametrize("points", [(2, 2), (2, 16), (99, 2)])
def test_of_two_that_are_unspecified_or_unknown_nothing_is_said(points: tuple[int, int]) -> None:
    assert by_code_points_in_part(*points) is None
