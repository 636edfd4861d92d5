import pytest
import torch

from models.views import VIEWS, views_of

IMAGES = torch.randint(256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def test_they_are_the_image_as_it_is_then_mirrored_squeezed_and_enlarged() -> None:
    views = views_of(IMAGES, 4)
    assert (views.shape, views.dtype) == ((2, 4, 3, 32, 32), torch.float32)
    assert torch.equal(views[:, 0], IMAGES.float() / 255)
    assert torch.equal(views[:, 1], views[:, 0].flip(3))
    assert views.min() >= 0
    assert views.max() <= 1
    # A block in the middle stays there, narrower when squeezed, and larger when enlarged.
    block = torch.zeros(1, 3, 32, 32)
    block[:, :, 14:18, 12:20] = 1
    _, mirrored, squeezed, enlarged = views_of(block, 4)[0]
    assert torch.equal(mirrored, block[0])
    assert torch.allclose(squeezed, squeezed.flip(2), atol=1e-6)
    assert torch.allclose(enlarged, enlarged.flip(2).flip(1), atol=1e-6)
    assert squeezed[0].sum().item() == pytest.approx(4 * 8 * 0.8, rel=0.02)
    assert torch.equal(squeezed[0, 16] > 0, squeezed[0, 15] > 0)
    assert enlarged[0].sum().item() == pytest.approx(4 * 8 * 1.15**2, rel=0.02)


@pytest.mark.parametrize("count", range(1, len(VIEWS) + 1))
def test_fewer_are_the_first_ones(count: int) -> None:
    assert torch.equal(views_of(IMAGES, count), views_of(IMAGES, len(VIEWS))[:, :count])
    assert torch.equal(views_of(IMAGES / 255, count), views_of(IMAGES, count))


def test_images_without_colours_have_views_too() -> None:
    assert views_of(IMAGES[:, :1], 4).shape == (2, 4, 1, 32, 32)


@pytest.mark.parametrize("count", [0, 5])
def test_other_numbers_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=r"views must be in 1\.\.4"):
        views_of(IMAGES, count)
