import torch

from tests.support.goodness_of_fit import equal_counts_misfit, uniform_misfit


def test_uniform_samples_fit_their_range_and_no_other() -> None:
    values = 2 + 3 * torch.rand(2000, generator=torch.Generator().manual_seed(0))
    assert uniform_misfit(values, 2, 5) < 1.95
    assert uniform_misfit(values, 2, 5.5) > 3
    assert uniform_misfit((values - 2) ** 2, 0, 9) > 3


def test_equally_frequent_classes_fit_and_others_do_not() -> None:
    values = torch.randint(5, (2000,), generator=torch.Generator().manual_seed(0))
    assert equal_counts_misfit(values, 5) < 4
    assert equal_counts_misfit(values, 6) > 10
    assert equal_counts_misfit(values.clamp(max=3), 5) > 10
