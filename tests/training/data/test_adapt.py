from dataclasses import replace

import pytest
import torch

from tests.support.tiny_run import RECIPE, tiny_data
from training.data.adapt import STEPS_PER_EPOCH, fitted, with_image_size
from training.data.cifar10 import ImageData, Split
from training.recipes import RECIPES
from training.recipes.recipe import Recipe, Restart, Stage


def data_of(train: int, held_out: int = 5) -> ImageData:
    def part(count: int) -> Split:
        return Split(torch.zeros(count, 3, 4, 4, dtype=torch.uint8), torch.arange(count) % 3)

    return replace(tiny_data(), train=part(train), held_out=part(held_out))


def test_stages_change_in_proportion() -> None:
    recipe = RECIPE.changed(
        stages=(
            Stage(epochs=4, image_size=16),
            Stage(epochs=3, image_size=24),
            Stage(epochs=2, image_size=32),
        )
    )
    assert with_image_size(recipe, 64).stages == (
        Stage(epochs=4, image_size=32),
        Stage(epochs=3, image_size=48),
        Stage(epochs=2, image_size=64),
    )
    assert with_image_size(recipe, 1).stages == (
        Stage(epochs=4, image_size=1),
        Stage(epochs=3, image_size=1),
        Stage(epochs=2, image_size=1),
    )


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_of_its_own_size_stays_as_it_is(name: str) -> None:
    recipe = RECIPES[name]
    assert with_image_size(recipe, recipe.stages[-1].image_size) == recipe
    assert fitted(recipe, data_of(50_000 - recipe.held_out, recipe.held_out)) == recipe


def test_few_images_make_small_batches_and_a_rate_to_match() -> None:
    recipe = RECIPE.changed(
        batch_size=128, learning_rate=0.4, restarts=(Restart(epoch=1, learning_rate=0.2),), held_out=1000
    )
    sgd = fitted(recipe, data_of(130))
    assert (sgd.batch_size, sgd.held_out) == (32, 5)
    assert sgd.learning_rate == pytest.approx(0.1)
    (restart,) = sgd.restarts
    assert restart.epoch == 1
    assert restart.learning_rate == pytest.approx(0.05)
    adam = fitted(recipe.changed(optimizer="adam", restarts=()), data_of(130))
    assert adam.learning_rate == pytest.approx(0.2)


@pytest.mark.parametrize("batch_size", [512, 500, 125])
@pytest.mark.parametrize(("train", "processes"), [(9, 1), (33, 1), (64, 2), (200, 4), (70, 3)])
def test_a_batch_feeds_every_process_and_an_epoch_has_enough_steps(
    train: int, processes: int, batch_size: int
) -> None:
    recipe: Recipe = fitted(RECIPE.changed(batch_size=batch_size), data_of(train), processes)
    assert recipe.batch_size % processes == 0
    assert recipe.batch_size >= 2 * processes
    assert train // recipe.batch_size >= STEPS_PER_EPOCH or recipe.batch_size < 4 * processes
