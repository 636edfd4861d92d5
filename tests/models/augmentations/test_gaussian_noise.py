import numpy as np
import torch
from scipy import stats

from models.augmentations.gaussian_noise import GaussianNoise, normal_noise
from tests.support.goodness_of_fit import uniform_misfit

SEEDS = torch.arange(64)


def test_the_noise_is_normal() -> None:
    noise = normal_noise(SEEDS, 4096).numpy()
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    assert abs(noise.mean()) < 4 / np.sqrt(noise.size)
    assert abs(noise.std() - 1) < 4 / np.sqrt(2 * noise.size)
    assert np.abs(noise).max() > 4


def test_neighbouring_places_and_seeds_have_noise_of_their_own() -> None:
    noise = normal_noise(SEEDS, 4096).double()
    by_place = noise[:, :-1].flatten(), noise[:, 1:].flatten()
    by_seed = noise[:-1].flatten(), noise[1:].flatten()
    shifted = noise[:-1, 2:].flatten(), noise[1:, :-2].flatten()
    for first, second in (by_place, by_seed, shifted):
        correlation = torch.corrcoef(torch.stack([first, second]))[0, 1]
        assert abs(correlation) < 4 / np.sqrt(len(first))


def test_a_seeds_noise_is_the_same_in_every_batch() -> None:
    assert torch.equal(normal_noise(SEEDS[5:6], 100), normal_noise(SEEDS, 200)[5:6, :100])


def test_it_is_added_with_the_images_own_deviation_and_clipped() -> None:
    images = torch.full((3, 3, 64, 64), 0.5)
    std = torch.tensor([0.02, 0.1, 0.1])
    params = {"applied": torch.tensor([True, True, False]), "std": std, "seed": SEEDS[:3]}
    result = GaussianNoise().apply(images, params)
    for image, expected in zip(result[:2], (0.02, 0.1), strict=True):
        assert abs(image.std() / expected - 1) < 4 / np.sqrt(2 * image.numel())
    assert torch.equal(result[2], images[2])
    wild = GaussianNoise().apply(images, params | {"std": torch.ones(3)})[:2]
    assert wild.min() == 0
    assert wild.max() == 1


def test_deviations_are_uniform_and_so_many_images_are_changed() -> None:
    params = GaussianNoise(probability=0.25, std=(0.0, 0.2)).sample(
        10_000, (32, 32), torch.Generator().manual_seed(0)
    )
    assert uniform_misfit(params["std"], 0, 0.2) < 1.95
    assert abs(params["applied"].double().mean() - 0.25) < 0.02
    assert len(set(params["seed"].tolist())) > 9_990
