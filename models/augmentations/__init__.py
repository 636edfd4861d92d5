"""Augmentations: batched, every image with its own random parameters, the same for training and preview."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

from pydantic import JsonValue

from models.augmentations.base import Augmentation, Params
from models.augmentations.color_jitter import ColorJitter
from models.augmentations.compose import Compose
from models.augmentations.cutout import Cutout
from models.augmentations.gaussian_blur import GaussianBlur
from models.augmentations.gaussian_noise import GaussianNoise
from models.augmentations.grayscale import Grayscale
from models.augmentations.horizontal_flip import HorizontalFlip
from models.augmentations.jpeg import Jpeg
from models.augmentations.parameters import ParameterError
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
    "create_augmentation",
    "from_spec",
    "to_spec",
]

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
    if name not in AUGMENTATIONS:
        raise ValueError(f"unknown augmentation {name!r}: choose from {', '.join(AUGMENTATIONS)}")
    known = [declared.name for declared in fields(AUGMENTATIONS[name])]
    for parameter in parameters:
        if parameter not in known:
            raise ParameterError(
                parameter, f"unknown parameter {parameter!r} of {name}: choose from {', '.join(known)}"
            )
    build: Callable[..., Augmentation] = AUGMENTATIONS[name]
    return build(**parameters)


def to_spec(augmentation: Compose) -> list[dict[str, JsonValue]]:
    """Describe a composition in JSON's own types, one object per operation, in order, nothing left out:

    ``[{"name": "random_crop", "padding": 4, "padding_mode": "zero"}]``

    Raises `ValueError` for an operation that has another name than in `AUGMENTATIONS`.
    """
    spec = []
    for name, operation in augmentation.operations:
        if type(operation) is not AUGMENTATIONS.get(name):
            raise ValueError(f"{type(operation).__name__} has no entry {name!r} among the augmentations")
        entry: dict[str, JsonValue] = {"name": name}
        for declared in fields(operation):
            entry[declared.name] = _to_json(getattr(operation, declared.name))
        spec.append(entry)
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
        parameters = {key: _from_json(value) for key, value in entry.items() if key != "name"}
        operations.append((name, create_augmentation(name, **parameters)))
    return Compose(tuple(operations))


def _to_json(value: float | int | str | tuple[float, float]) -> JsonValue:
    return list(value) if isinstance(value, tuple) else value


def _from_json(value: JsonValue) -> object:
    return tuple(value) if isinstance(value, list) else value
