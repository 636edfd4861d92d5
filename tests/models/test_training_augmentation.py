"""What a recipe did to its images, read back from the JSON that an artifact carries."""

import json
from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from app.settings import BUNDLED_MODEL
from models.artifact.store import load_artifact
from models.augmentations import Compose, create_augmentation, to_spec
from models.training_augmentation import training_augmentation
from training.recipes import RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_gives_back_its_own_operations(name: str) -> None:
    recipe = RECIPES[name]
    stored = json.loads(json.dumps(recipe.to_json()))
    operations = training_augmentation(stored).operations
    flip = (("horizontal_flip", create_augmentation("horizontal_flip", probability=0.5)),)
    assert operations == (flip if recipe.alternating_flip else ()) + recipe.augmentation.operations


def test_the_bundled_artifact_tells_its_own() -> None:
    recipe = load_artifact(BUNDLED_MODEL).metadata.recipe
    listed = recipe["augmentation"]
    assert isinstance(listed, list)
    (flip, operation), *others = training_augmentation(recipe).operations
    assert (flip, operation) == ("horizontal_flip", create_augmentation("horizontal_flip", probability=0.5))
    assert to_spec(Compose(tuple(others))) == listed


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({}, "does not tell"),
        ({"augmentation": None}, "does not tell"),
        ({"augmentation": ["flip"]}, "name must be one of"),
        ({"augmentation": [{"name": "sharpen"}]}, "unknown augmentation 'sharpen'"),
        ({"augmentation": [{"name": "random_crop", "padding": -1}]}, "padding must be"),
        ({"augmentation": [{"name": "horizontal_flip"}], "alternating_flip": True}, "different names"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(recipe: Mapping[str, JsonValue], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        training_augmentation(recipe)
