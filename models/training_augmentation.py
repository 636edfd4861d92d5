"""The augmentation of a training run, as its recipe tells it in an artifact."""

from collections.abc import Mapping

from pydantic import JsonValue

from models.augmentations import Compose, from_spec

FLIP: dict[str, JsonValue] = {"name": "horizontal_flip", "probability": 0.5}


def training_augmentation(recipe: Mapping[str, JsonValue]) -> Compose:
    """What a run with this recipe, in JSON values, did to its images without changing their labels.

    An alternating flip, which mirrors an image in every other epoch, is here the random flip that it looks
    like within an epoch. Mixing of images is not in it, nor are smaller sizes of early epochs.

    Raises `ValueError` for a recipe that does not tell, or tells what the operations here cannot do.
    """
    listed = recipe.get("augmentation")
    if not isinstance(listed, list):
        raise ValueError("the recipe does not tell its augmentation")
    spec = [entry if isinstance(entry, dict) else {} for entry in listed]
    return from_spec([FLIP, *spec] if recipe.get("alternating_flip") else spec)
