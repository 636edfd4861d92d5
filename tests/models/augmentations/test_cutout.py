import pytest
import torch
from torchvision.transforms.v2 import functional as F

from models.augmentations.cutout import Cutout
from tests.support.goodness_of_fit import equal_counts_misfit

HEIGHT, WIDTH = 6, 9


@pytest.mark.parametrize("size", [1, 3, 4, 30])
@pytest.mark.parametrize("value", [0.0, 0.3])
def test_squares_are_painted_as_by_torchvision_and_cut_at_the_border(size: int, value: float) -> None:
    places = torch.cartesian_prod(torch.arange(HEIGHT), torch.arange(WIDTH))
    images = torch.rand(len(places), 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    result = Cutout(size=size, value=value).apply(images, {"row": places[:, 0], "column": places[:, 1]})
    for (row, column), image, got in zip(places.tolist(), images, result, strict=True):
        top, left = max(0, row - size // 2), max(0, column - size // 2)
        bottom, right = row - size // 2 + size, column - size // 2 + size
        expected = F.erase(image, top, left, bottom - top, right - left, v=torch.tensor(value))
        assert torch.equal(got, expected), (row, column)


def test_every_pixel_is_as_often_the_centre() -> None:
    params = Cutout().sample(20_000, (HEIGHT, WIDTH), torch.Generator().manual_seed(0))
    assert equal_counts_misfit(params["row"] * WIDTH + params["column"], HEIGHT * WIDTH) < 4


def test_the_papers_square_is_the_default() -> None:
    """16 × 16 of 32 × 32 pixels where the centre is far enough from the border."""
    centre = {"row": torch.tensor([16]), "column": torch.tensor([16])}
    erased = Cutout().apply(torch.ones(1, 3, 32, 32), centre) == 0
    assert erased[0].sum() == 3 * 16 * 16
    assert erased[0, :, 8:24, 8:24].all()
