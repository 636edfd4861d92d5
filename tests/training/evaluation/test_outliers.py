import pytest
import torch
from torch.nn import functional

from tests.support.artifacts import noise
from training.evaluation.outliers import made_outliers


def test_half_are_negatives_and_half_are_details() -> None:
    images = noise(6, 1)
    outliers = made_outliers(images)
    assert (outliers.shape, outliers.dtype) == ((12, 3, 32, 32), torch.uint8)
    assert torch.equal(outliers[6:], 255 - images)
    for image, detail in zip(images, outliers[:6], strict=True):
        assert min(_difference(image, detail, side) for side in range(6, 17)) < 1


def _difference(image: torch.Tensor, detail: torch.Tensor, side: int) -> float:
    """Of `detail` from the square of that side in `image` that it is most like."""
    squares = [
        image[None, :, top : top + side, left : left + side].float()
        for top in range(33 - side)
        for left in range(33 - side)
    ]
    enlarged = functional.interpolate(torch.cat(squares), size=(32, 32), mode="bilinear")
    return (enlarged - detail.float()).abs().mean(dim=(1, 2, 3)).min().item()


def test_they_are_always_the_same() -> None:
    images = noise(4, 2)
    assert torch.equal(made_outliers(images), made_outliers(images))


@pytest.mark.parametrize("shape", [(1, 1, 28, 28), (3, 3, 224, 224)])
def test_images_of_any_size_and_in_grey_have_some(shape: tuple[int, ...]) -> None:
    assert made_outliers(torch.zeros(shape, dtype=torch.uint8)).shape == (2 * shape[0], *shape[1:])
