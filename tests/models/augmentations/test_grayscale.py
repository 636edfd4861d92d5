import pytest
import torch
from torchvision.transforms.v2 import functional as F

from models.augmentations.grayscale import Grayscale


def test_the_chosen_images_become_torchvisions_greys() -> None:
    images = torch.rand(2, 3, 6, 9, generator=torch.Generator().manual_seed(0))
    result = Grayscale().apply(images, {"applied": torch.tensor([True, False])})
    expected = F.rgb_to_grayscale(images[0], num_output_channels=3)
    torch.testing.assert_close(result[0], expected, atol=1e-6, rtol=0)
    assert torch.equal(result[1], images[1])


def test_so_many_images_are_chosen() -> None:
    params = Grayscale(probability=0.1).sample(10_000, (32, 32), torch.Generator().manual_seed(0))
    assert abs(params["applied"].double().mean() - 0.1) < 0.015


def test_other_than_three_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="images must have 3 channels, got 1"):
        Grayscale().apply(torch.rand(2, 1, 4, 4), {"applied": torch.ones(2, dtype=torch.bool)})
