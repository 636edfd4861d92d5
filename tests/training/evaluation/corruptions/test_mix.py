import pytest
import torch
from torch import Tensor

from training.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from training.evaluation.corruptions.mix import FEW, corrupted_mix

KINDS = len(CORRUPTIONS) * len(SEVERITIES)


def test_each_image_is_under_one_corruption_and_all_come_alike_often() -> None:
    images = torch.randint(256, (FEW, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    images = images.to(torch.uint8)
    mixed = corrupted_mix(images, seed=3)
    assert (mixed.shape, mixed.dtype) == (images.shape, torch.uint8)
    names = list(CORRUPTIONS)
    for place in (0, 20, 74):
        own = images[place::KINDS]
        expected = corrupt(own, names[place % 15], SEVERITIES[place // 15], 3)
        assert torch.equal(mixed[place::KINDS], expected)
    assert torch.equal(mixed, corrupted_mix(images, seed=3))


def test_fewer_images_than_corruptions_are_taken() -> None:
    images = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)
    assert corrupted_mix(images).shape == images.shape


def test_severities_of_few_images_do_not_go_with_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The images of a class may lie side by side."""
    given: list[tuple[str, int]] = []

    def keep(images: Tensor, name: str, severity: int, _seed: int) -> Tensor:
        given.append((name, severity))
        return torch.full_like(images, severity)

    monkeypatch.setattr("training.evaluation.corruptions.mix.corrupt", keep)
    severities = corrupted_mix(torch.zeros(30, 3, 4, 4, dtype=torch.uint8))[:, 0, 0, 0].tolist()
    assert len(set(given)) == 30
    for own in (severities[:15], severities[15:]):
        assert len(set(own)) >= 4
