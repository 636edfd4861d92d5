"""The augmentation of a training run, as its recipe tells it in an artifact."""

from collections.abc import Mapping

from pydantic import BaseModel, JsonValue, ValidationError

from models.augmentations import Compose, Spec
from models.augmentations.horizontal_flip import HorizontalFlip


class RecordedAugmentation(BaseModel):
    """What an artifact's recipe tells of the augmentation, its other fields left out."""

    augmentation: Spec
    alternating_flip: bool = False


def training_augmentation(recipe: Mapping[str, JsonValue]) -> Compose:
    """What a run with this recipe, in JSON values, did to its images without changing their labels.

    An alternating flip, which mirrors an image in every other epoch, is here the random flip that it looks
    like within an epoch. Mixing of images is not in it, nor are smaller sizes of early epochs.

    Raises `ValueError` for a recipe that does not tell, or tells what the operations here cannot do.
    """
    try:
        recorded = RecordedAugmentation.model_validate(recipe)
    except ValidationError as error:
        told = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ValueError(f"the recipe does not tell its augmentation: {told}") from error
    flip = (("horizontal_flip", HorizontalFlip(probability=0.5)),) if recorded.alternating_flip else ()
    return Compose(flip + recorded.augmentation.operations)
