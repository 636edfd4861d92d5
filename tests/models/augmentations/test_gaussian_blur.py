import numpy as np
import pytest
import torch
from scipy import ndimage

from models.augmentations.gaussian_blur import GaussianBlur
from tests.support.goodness_of_fit import uniform_misfit

SIGMAS = (0.05, 0.3, 0.5, 1.0, 2.7, 8.0)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (5, 9), (1, 40)])
def test_every_blur_equals_scipys(height: int, width: int) -> None:
    """Edges mirrored, the bell cut off after four standard deviations."""
    images = torch.rand(len(SIGMAS), 3, height, width, generator=torch.Generator().manual_seed(0))
    params = {"applied": torch.ones(len(SIGMAS), dtype=torch.bool), "sigma": torch.tensor(SIGMAS)}
    result = GaussianBlur(sigma=(0.05, 8.0)).apply(images, params)
    for image, sigma, got in zip(images.numpy(), SIGMAS, result, strict=True):
        expected = np.stack(
            [ndimage.gaussian_filter(channel, sigma, mode="reflect", truncate=4.0) for channel in image]
        )
        torch.testing.assert_close(got, torch.from_numpy(expected), atol=1e-5, rtol=0)


def test_sigmas_are_uniform_and_so_many_images_are_blurred() -> None:
    params = GaussianBlur(probability=0.3, sigma=(0.5, 2.0)).sample(
        10_000, (32, 32), torch.Generator().manual_seed(0)
    )
    assert uniform_misfit(params["sigma"], 0.5, 2.0) < 1.95
    assert abs(params["applied"].double().mean() - 0.3) < 0.02


def test_only_the_chosen_images_are_blurred() -> None:
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    params = {"applied": torch.tensor([True, False]), "sigma": torch.ones(2)}
    result = GaussianBlur().apply(images, params)
    assert not torch.equal(result[0], images[0])
    assert torch.equal(result[1], images[1])
