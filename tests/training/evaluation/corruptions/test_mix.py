import torch

from training.evaluation.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from training.evaluation.corruptions.mix import corrupted_mix

KINDS = len(CORRUPTIONS) * len(SEVERITIES)


def test_each_image_is_under_one_corruption_and_all_come_alike_often() -> None:
    images = torch.randint(256, (KINDS + 15, 3, 16, 16), generator=torch.Generator().manual_seed(0))
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
