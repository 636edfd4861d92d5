import pytest
import torch

from models.augmentations.compose import Compose
from models.augmentations.horizontal_flip import HorizontalFlip
from models.augmentations.random_crop import RandomCrop

IMAGES = torch.rand(8, 3, 6, 9, generator=torch.Generator().manual_seed(0))


def test_params_are_those_of_the_operations_drawn_in_order() -> None:
    flip, crop = HorizontalFlip(), RandomCrop(padding=2)
    params = Compose((("crop", crop), ("flip", flip))).sample(8, (6, 9), torch.Generator().manual_seed(1))

    generator = torch.Generator().manual_seed(1)
    expected_crop = crop.sample(8, (6, 9), generator)
    expected_flip = flip.sample(8, (6, 9), generator)
    assert list(params) == ["crop.top", "crop.left", "flip.flip"]
    assert torch.equal(params["crop.top"], expected_crop["top"])
    assert torch.equal(params["crop.left"], expected_crop["left"])
    assert torch.equal(params["flip.flip"], expected_flip["flip"])


def test_operations_are_applied_in_order() -> None:
    flip, crop = HorizontalFlip(probability=1), RandomCrop(padding=2)
    left, middle = torch.zeros(8, dtype=torch.int64), torch.full((8,), 2)
    params = {"crop.top": middle, "crop.left": left, "flip.flip": torch.ones(8, dtype=torch.bool)}
    crop_params, flip_params = {"top": middle, "left": left}, {"flip": params["flip.flip"]}

    cropped_first = flip.apply(crop.apply(IMAGES, crop_params), flip_params)
    flipped_first = crop.apply(flip.apply(IMAGES, flip_params), crop_params)
    assert not torch.equal(cropped_first, flipped_first)
    assert torch.equal(Compose((("crop", crop), ("flip", flip))).apply(IMAGES, params), cropped_first)
    assert torch.equal(Compose((("flip", flip), ("crop", crop))).apply(IMAGES, params), flipped_first)


def test_a_name_that_begins_another_name_does_not_take_its_params() -> None:
    both = Compose((("flip", HorizontalFlip(probability=1)), ("flip_again", HorizontalFlip(probability=1))))
    params = both.sample(8, (6, 9), torch.Generator())
    assert list(params) == ["flip.flip", "flip_again.flip"]
    assert torch.equal(both.apply(IMAGES, params), IMAGES)


def test_no_operations_give_a_copy_of_the_images() -> None:
    nothing = Compose()
    assert nothing.sample(8, (6, 9), torch.Generator()) == {}
    original = IMAGES.clone().requires_grad_()
    result = nothing.apply(original, {})
    assert torch.equal(result, IMAGES)
    assert not result.requires_grad
    assert result.data_ptr() != original.data_ptr()


def test_a_name_given_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="operations must have different names, got 'flip' twice or more"):
        Compose((("flip", HorizontalFlip()), ("crop", RandomCrop()), ("flip", HorizontalFlip(probability=1))))


def test_a_name_with_a_dot_is_refused() -> None:
    with pytest.raises(ValueError, match=r"operations must have names without a dot, got 'a\.b'"):
        Compose((("a.b", HorizontalFlip()),))
