import math

import torch

from models.augmentations.rectangles import ATTEMPTS, first_fitting, sample_offsets, sample_sides
from tests.support.goodness_of_fit import equal_counts_misfit, uniform_misfit


def test_areas_are_uniform_and_ratios_log_uniform() -> None:
    # Sides of thousands of pixels, so that rounding to whole pixels does not show.
    area = 10_000**2
    first, second = sample_sides(500, area, (0.2, 0.9), (0.5, 3.0), torch.Generator().manual_seed(0))
    assert first.shape == second.shape == (ATTEMPTS, 500)
    assert first.dtype == second.dtype == torch.int64
    shares = (first * second / area).flatten()
    log_ratios = (first / second).log().flatten()
    assert uniform_misfit(shares, 0.2, 0.9) < 1.95
    assert uniform_misfit(log_ratios, math.log(0.5), math.log(3.0)) < 1.95
    assert abs(float(torch.corrcoef(torch.stack([shares, log_ratios]))[0, 1])) < 0.05


def test_equal_ends_fix_the_sides() -> None:
    first, second = sample_sides(3, 100, (0.36, 0.36), (4.0, 4.0), torch.Generator())
    assert (first == 12).all()
    assert (second == 3).all()


def test_the_first_fitting_candidate_is_taken_and_the_fallback_where_none_fits() -> None:
    candidates = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    fits = torch.tensor([[True, False, False], [True, False, False], [True, True, False]])
    assert first_fitting(candidates, fits, 0).tolist() == [1, 8, 0]


def test_offsets_are_uniform_over_all_places() -> None:
    for length, size in ((1, 8), (5, 8), (32, 32)):
        lengths = torch.full((20_000,), length)
        offsets = sample_offsets(lengths, size, torch.Generator().manual_seed(0))
        assert offsets.dtype == torch.int64
        if length == size:
            assert not offsets.any()
        else:
            assert equal_counts_misfit(offsets, size - length + 1) < 4
