"""Augmentations: batched, every image with its own random parameters, the same for training and preview.

A new one is a file beside this and one line in `AUGMENTATIONS`: recipes, the service, its page and the tests
that every augmentation has to pass find it there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, InstanceOf, JsonValue, PlainSerializer, ValidationError

from models.augmentations.base import Augmentation, Params
from models.augmentations.color_jitter import ColorJitter
from models.augmentations.compose import Compose
from models.augmentations.cutout import Cutout
from models.augmentations.gaussian_blur import GaussianBlur
from models.augmentations.gaussian_noise import GaussianNoise
from models.augmentations.grayscale import Grayscale
from models.augmentations.horizontal_flip import HorizontalFlip
from models.augmentations.jpeg import Jpeg
from models.augmentations.parameters import ParameterError, parameter_schemas
from models.augmentations.random_crop import RandomCrop
from models.augmentations.random_erasing import RandomErasing
from models.augmentations.random_resized_crop import RandomResizedCrop
from models.augmentations.trivial_augment import TrivialAugment
from models.augmentations.vertical_flip import VerticalFlip
from models.augmentations.zoom import Zoom

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "Compose",
    "ParameterError",
    "Params",
    "Spec",
    "create_augmentation",
    "from_spec",
    "parse_augmentation",
    "to_spec",
]

Given = TypeVar("Given", bound=Mapping[str, object])

AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "horizontal_flip": HorizontalFlip,
    "vertical_flip": VerticalFlip,
    "random_crop": RandomCrop,
    "random_resized_crop": RandomResizedCrop,
    "color_jitter": ColorJitter,
    "random_erasing": RandomErasing,
    "cutout": Cutout,
    "trivial_augment": TrivialAugment,
    "zoom": Zoom,
    "grayscale": Grayscale,
    "gaussian_blur": GaussianBlur,
    "gaussian_noise": GaussianNoise,
    "jpeg": Jpeg,
}


def create_augmentation(name: str, **parameters: object) -> Augmentation:
    """Build the named operation; parameters that are not given keep their defaults.

    Raises `ValueError` for an unknown name, and its subclass `ParameterError` for an unknown parameter or an
    illegal value.
    """
    return _build(name, parameters, lambda kind, given: kind.model_validate(given))


def parse_augmentation(name: str, texts: Mapping[str, str]) -> Augmentation:
    """Build the named operation from parameters as texts, the two numbers of a range parted by a comma.

    Raises what `create_augmentation` raises.
    """

    def parse(kind: type[Augmentation], texts: Mapping[str, str]) -> Augmentation:
        ranges = {key for key, schema in parameter_schemas(kind).items() if schema["type"] == "array"}
        parts = {key: text.split(",") if key in ranges else text for key, text in texts.items()}
        return kind.model_validate(parts, strict=False)

    return _build(name, texts, parse)


def to_spec(augmentation: Compose) -> list[dict[str, JsonValue]]:
    """Describe a composition in JSON's own types, one object per operation, in order, nothing left out:

    ``[{"name": "random_crop", "padding": 4, "padding_mode": "zero"}]``

    Raises `ValueError` for an operation that has another name than in `AUGMENTATIONS`.
    """
    spec = []
    for name, operation in augmentation.operations:
        if type(operation) is not AUGMENTATIONS.get(name):
            raise ValueError(f"{type(operation).__name__} has no entry {name!r} among the augmentations")
        spec.append({"name": name, **operation.model_dump(mode="json")})
    return spec


def from_spec(spec: Sequence[Mapping[str, JsonValue]]) -> Compose:
    """Build the composition that `to_spec` described; parameters may be left out and keep their defaults.

    Raises `ValueError` for an operation without a name, or named twice, and whatever `create_augmentation`
    refuses.
    """
    operations = []
    for entry in spec:
        name = entry.get("name")
        if not isinstance(name, str):
            raise ValueError(f"name must be one of {', '.join(AUGMENTATIONS)}, got {name!r}")
        parameters = {key: value for key, value in entry.items() if key != "name"}
        operation = _build(name, parameters, lambda kind, given: kind.model_validate_json(json.dumps(given)))
        operations.append((name, operation))
    return Compose(tuple(operations))


def _build(
    name: str, given: Given, validate: Callable[[type[Augmentation], Given], Augmentation]
) -> Augmentation:
    if name not in AUGMENTATIONS:
        raise ValueError(f"unknown augmentation {name!r}: choose from {', '.join(AUGMENTATIONS)}")
    kind = AUGMENTATIONS[name]
    known = kind.model_fields
    for parameter in given:
        if parameter not in known:
            raise ParameterError(
                parameter, f"unknown parameter {parameter!r} of {name}: choose from {', '.join(known)}"
            )
    try:
        return validate(kind, given)
    except ValidationError as error:
        raise ParameterError.from_validation_error(error, kind, given) from error


def _composed(value: object) -> object:
    """`value` as a composition where it is one in JSON."""
    if isinstance(value, list):
        return from_spec([entry if isinstance(entry, dict) else {} for entry in value])
    return value


Spec = Annotated[InstanceOf[Compose], BeforeValidator(_composed), PlainSerializer(to_spec)]
"""A composition as a field of a pydantic model; in JSON it is what `to_spec` gives."""
