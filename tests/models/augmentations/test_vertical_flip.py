import torch
from torchvision.transforms.v2 import functional as F

from models.augmentations.vertical_flip import VerticalFlip


def test_marked_images_are_mirrored_as_by_torchvision_and_the_others_kept() -> None:
    images = torch.rand(4, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    flip = torch.tensor([True, False, True, False])
    result = VerticalFlip().apply(images, {"flip": flip})
    for image, marked, got in zip(images, flip, result, strict=True):
        assert torch.equal(got, F.vertical_flip(image) if marked else image)


def test_flipping_twice_gives_the_original() -> None:
    images = torch.rand(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    params = {"flip": torch.tensor([True, True])}
    assert torch.equal(VerticalFlip().apply(VerticalFlip().apply(images, params), params), images)


def test_images_are_marked_with_the_stated_probability() -> None:
    for probability in (0.2, 0.5, 0.9):
        generator = torch.Generator().manual_seed(0)
        flip = VerticalFlip(probability=probability).sample(10_000, (32, 32), generator)["flip"]
        # The standard deviation of the mean is at most 0.005.
        assert abs(float(flip.float().mean()) - probability) < 0.02


def test_probability_0_marks_none_and_1_all() -> None:
    generator = torch.Generator().manual_seed(0)
    assert not VerticalFlip(probability=0).sample(1000, (32, 32), generator)["flip"].any()
    assert VerticalFlip(probability=1).sample(1000, (32, 32), generator)["flip"].all()
