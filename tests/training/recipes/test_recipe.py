import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.artifact.store import ArtifactError, load_artifact
from tests.support.tiny_run import RECIPE
from training.recipes import RECIPES
from training.recipes.recipe import Recipe, RecordedRecipe, Restart, Stage


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
    recipe = RECIPE.changed(stages=(Stage(epochs=2, image_size=16), Stage(epochs=1, image_size=24)))
    assert [recipe.image_size_at(epoch) for epoch in range(4)] == [16, 16, 24, 24]


def test_restarts_move_with_the_number_of_epochs_and_fall_away_where_none_is_left() -> None:
    recipe = RECIPE.changed(
        stages=(Stage(epochs=10, image_size=16),),
        restarts=(Restart(epoch=5, learning_rate=0.2), Restart(epoch=8, learning_rate=0.1)),
    )
    assert recipe.with_epochs(20).restarts == (
        Restart(epoch=10, learning_rate=0.2),
        Restart(epoch=16, learning_rate=0.1),
    )
    assert recipe.with_epochs(2).restarts == (Restart(epoch=1, learning_rate=0.2),)
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
        ("stages", [{"epochs": 1, "image_size": 0}]),
        ("batch_size", 1),
        ("learning_rate", 0.0),
        ("warmup", 1.0),
        ("restarts", [{"epoch": 1, "learning_rate": 0.0}]),
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
    with pytest.raises(ValidationError) as refusal:
        RECIPE.changed(**{field: value})
    assert {error["loc"][0] for error in refusal.value.errors()} == {field}


@pytest.mark.parametrize("epochs", [(0,), (3,), (2, 1), (1, 1)])
def test_restarts_out_of_order_or_at_no_epoch_of_the_run_are_refused(epochs: tuple[int, ...]) -> None:
    restarts = [Restart(epoch=epoch, learning_rate=0.1) for epoch in epochs]
    with pytest.raises(ValidationError, match="restarts must be at rising epochs between the first and"):
        RECIPE.changed(restarts=restarts)


def test_no_epochs_at_all_is_refused() -> None:
    with pytest.raises(ValidationError, match="stages must have at least 1 epoch together"):
        RECIPE.changed(stages=(Stage(epochs=0, image_size=32),))


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="warmups"):
        RECIPE.changed(warmups=0.1)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_survives_json_byte_for_byte(name: str) -> None:
    stored = json.dumps(RECIPES[name].to_json())
    recipe = Recipe.from_json(json.loads(stored))
    assert recipe == RECIPES[name]
    assert json.dumps(recipe.to_json()) == stored


def test_fields_that_recipes_have_no_more_are_left_out_and_those_of_later_ones_are_defaults() -> None:
    stored = {**RECIPE.to_json(), "colour": "red"}
    del stored["lookahead"]
    assert Recipe.from_json(stored) == RECIPE


def test_an_artifact_records_the_recipe_and_its_seed(exported: Path) -> None:
    recorded = RecordedRecipe.of(load_artifact(exported).metadata)
    assert (recorded.seed, recorded.stages) == (0, RECIPE.stages)


def test_a_recorded_recipe_that_cannot_be_read_is_refused_by_field(exported: Path) -> None:
    metadata = load_artifact(exported).metadata
    damaged = metadata.model_copy(update={"recipe": {**metadata.recipe, "batch_size": 0}})
    with pytest.raises(
        ArtifactError, match=r"the recipe of tiny, version 1, cannot be read: (.|\n)*batch_size"
    ):
        RecordedRecipe.of(damaged)
