"""What holds for every corruption; those with an independent reference are in a file of their own."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from training.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupt

NOT_FURTHER_EACH_STEP = {"glass_blur", "frost", "pixelate"}
"""Of these the published constants trade one kind of distance for another from one severity to the next: blur
for moved pixels, ice for darkness, and coarse pixels for those that do not fit into the side."""
NEARER = {"elastic_transform"}
"""Its affine part becomes weaker and its local part stronger, which a test of its own measures."""


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    """Twelve smooth pictures with edges in them, as photographs are."""
    chance = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(chance.random((12, 32, 32, 3)), (0, 3, 3, 0.5))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    smooth[:, 10:20, 8:24] *= 0.5
    return torch.from_numpy((40 + 170 * smooth).astype(np.uint8)).permute(0, 3, 1, 2).contiguous()


def distance(first: Tensor, second: Tensor) -> float:
    return (first.float() - second.float()).square().mean().sqrt().item()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_seed_gives_the_same_picture_whatever_is_beside_it(pictures: Tensor, name: str) -> None:
    corrupted = corrupt(pictures, name, 3, seed=1)
    assert torch.equal(corrupt(pictures[:2], name, 3, seed=1), corrupted[:2])
    assert corrupted.dtype == torch.uint8
    assert corrupted.shape == pictures.shape
    assert not torch.equal(corrupted, pictures)
    random = {"defocus_blur", "zoom_blur", "brightness", "contrast", "pixelate", "jpeg_compression"}
    assert torch.equal(corrupt(pictures, name, 3, seed=2), corrupted) == (name in random)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_more_severity_leads_further_away(pictures: Tensor, name: str) -> None:
    distances = [distance(corrupt(pictures, name, severity), pictures) for severity in SEVERITIES]
    assert min(distances) > 0
    assert distances[-1] > distances[0] or name in NEARER
    if name not in NOT_FURTHER_EACH_STEP | NEARER:
        assert distances == sorted(distances), distances


@pytest.mark.parametrize("name", CORRUPTIONS)
@pytest.mark.parametrize("level", [0, 255])
def test_black_and_white_stay_within_what_eight_bits_hold(name: str, level: int) -> None:
    """Nothing runs over: what is cut off at one end never comes back at the other."""
    plain = torch.full((2, 3, 32, 32), level, dtype=torch.uint8)
    corrupted = corrupt(plain, name, 5).float()
    assert corrupted.isfinite().all()
    if name not in {"impulse_noise", "snow", "frost", "fog", "brightness"}:
        assert (corrupted - level).abs().mean() < 40


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_other_sizes_and_shapes_keep_theirs(name: str) -> None:
    square = torch.randint(0, 256, (1, 3, 48, 48), dtype=torch.uint8)
    assert corrupt(square, name, 5).shape == square.shape


@pytest.mark.parametrize(
    ("images", "name", "severity", "said"),
    [
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "rain", 1, "name must be one of gaussian_noise"),
        (torch.zeros(1, 3, 32, 32, dtype=torch.uint8), "fog", 6, "severity must be in 1..5, got 6"),
        (torch.zeros(1, 1, 32, 32, dtype=torch.uint8), "fog", 1, r"images must be uint8 \(N, 3, H, W\)"),
        (torch.zeros(1, 3, 32, 32), "fog", 1, "images must be uint8"),
    ],
)
def test_what_cannot_be_corrupted_is_refused(images: Tensor, name: str, severity: int, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        corrupt(images, name, severity)
