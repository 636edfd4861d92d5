import json
from dataclasses import replace

import pytest

from tests.support.tiny_run import RECIPE
from training.recipes import RECIPES
from training.recipes.recipe import Restart, Stage


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_kept_under_its_own_name_and_is_json(name: str) -> None:
    recipe = RECIPES[name]
    assert recipe.name == name
    assert json.loads(json.dumps(recipe.to_json()))["architecture"] == recipe.architecture


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("epochs", [1, 2, 7, 100])
def test_epochs_can_be_changed_and_stages_keep_their_shares(name: str, epochs: int) -> None:
    recipe = RECIPES[name].with_epochs(epochs)
    assert recipe.epochs == epochs
    assert recipe.stages[-1].image_size == RECIPES[name].stages[-1].image_size
    for before, after in zip(RECIPES[name].stages, recipe.stages, strict=True):
        assert abs(after.epochs - before.epochs * epochs / RECIPES[name].epochs) <= 1


def test_image_size_follows_the_stages() -> None:
    recipe = replace(RECIPE, stages=(Stage(2, 16), Stage(1, 24)))
    assert [recipe.image_size_at(epoch) for epoch in range(4)] == [16, 16, 24, 24]


def test_restarts_move_with_the_number_of_epochs_and_fall_away_where_none_is_left() -> None:
    recipe = replace(RECIPE, stages=(Stage(10, 16),), restarts=(Restart(5, 0.2), Restart(8, 0.1)))
    assert recipe.with_epochs(20).restarts == (Restart(10, 0.2), Restart(16, 0.1))
    assert recipe.with_epochs(2).restarts == (Restart(1, 0.2),)
    assert recipe.with_epochs(1).restarts == ()


def test_the_two_lessons_differ_in_augmentation_alone() -> None:
    with_it, without = RECIPES["lesson"].to_json(), RECIPES["lesson-no-augmentation"].to_json()
    assert {key for key in with_it if with_it[key] != without[key]} == {"name", "augmentation"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("architecture", "vgg"),
        ("initialization", "zeros"),
        ("stages", ()),
        ("stages", (Stage(1, 0),)),
        ("batch_size", 1),
        ("learning_rate", 0.0),
        ("warmup", 1.0),
        ("restarts", (Restart(0, 0.1),)),
        ("restarts", (Restart(3, 0.1),)),
        ("restarts", (Restart(2, 0.1), Restart(1, 0.1))),
        ("restarts", (Restart(1, 0.0),)),
        ("momentum", 1.0),
        ("weight_decay", -1e-4),
        ("label_smoothing", 1.0),
        ("gradient_clip", 0.0),
        ("ema_decay", 1.0),
        ("batch_norm_rate_scale", 0.0),
        ("reestimate_batch_norm", -1),
        ("lookahead", 0),
        ("mixup_alpha", 0.0),
        ("cutmix_alpha", 0.0),
        ("held_out", -1),
    ],
)
def test_a_value_out_of_range_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"recipe 'tiny': {field} must be"):
        replace(RECIPE, **{field: value})  # type: ignore[arg-type]


def test_no_epochs_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="epochs must be at least 1"):
        replace(RECIPE, stages=(Stage(0, 32),))
