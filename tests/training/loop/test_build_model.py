import pytest
import torch

from tests.support.tiny_run import RECIPE, tiny_data
from training.loop.build_model import WHITENING_PIXELS, build_model, whitening_images
from training.recipes.recipe import Stage


def test_the_same_seed_gives_the_same_weights() -> None:
    data = tiny_data()
    first, again, other = (build_model(RECIPE, data, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert not all(torch.equal(value, other[name]) for name, value in first.items())
    assert int(first["features.1.num_batches_tracked"]) == 0


@pytest.mark.parametrize(("architecture", "size"), [("lenet", 12), ("airbench94", 6)])
def test_images_too_small_for_the_network_are_refused(architecture: str, size: int) -> None:
    recipe = RECIPE.changed(
        architecture=architecture,
        stages=(Stage(epochs=1, image_size=size), Stage(epochs=1, image_size=32)),
    )
    with pytest.raises(
        ValueError, match=f"image_size must be larger: {architecture} cannot take images of {size} pixels"
    ):
        build_model(recipe, tiny_data(), seed=0)


@pytest.mark.parametrize(("side", "images", "expected"), [(32, 9000, 5000), (2048, 9000, 1), (128, 30, 30)])
def test_whitening_sees_as_many_pixels_of_any_size_from_all_over(
    side: int, images: int, expected: int
) -> None:
    numbers = torch.arange(images)
    chosen = whitening_images(numbers.view(-1, 1, 1, 1).expand(-1, 3, side, side))[:, 0, 0, 0]
    assert len(chosen) == expected
    assert len(chosen) * side**2 <= WHITENING_PIXELS
    assert torch.diff(chosen, append=torch.tensor([images])).max() <= -(-images // expected)
