"""Augmentations as query parameters: `ops=random_crop&random_crop.padding=4`.

Names, types, ranges and defaults all come from the registry, so that a new operation is accepted and
documented as soon as it is registered there.
"""

from collections.abc import Mapping

from app.errors import ApiError, invalid_parameter
from models.augmentations import AUGMENTATIONS, Compose, ParameterError, parse_augmentation


def parse_operations(ops: str, parameters: Mapping[str, str]) -> Compose:
    """Build the operations named in `ops`, separated by commas, in that order.

    `parameters` maps "operation.parameter" to its value as text; numbers of a pair are separated by a comma.
    Raises `ApiError` 422 naming the field: an unknown or repeated operation, an unknown parameter or one of
    an operation that is not in `ops`, a value of the wrong type or out of range.
    """
    names = [name.strip() for name in ops.split(",")] if ops.strip() else []
    for name in names:
        if name not in AUGMENTATIONS:
            choices = ", ".join(AUGMENTATIONS)
            raise invalid_parameter("ops", f"there is no operation {name!r}; choose from {choices}")
        if names.count(name) > 1:
            raise invalid_parameter("ops", f"{name} is named more than once")

    values: dict[str, dict[str, str]] = {name: {} for name in names}
    for key, text in parameters.items():
        name, dot, parameter = key.partition(".")
        if not dot or name not in AUGMENTATIONS:
            raise ApiError(422, "unknown_parameter", f"{key}: there is no such parameter", key)
        if name not in values:
            raise invalid_parameter(key, f"{name} is not among the operations in ops")
        known = AUGMENTATIONS[name].model_fields
        if parameter not in known:
            choices = ", ".join(f"{name}.{each}" for each in known)
            raise ApiError(
                422, "unknown_parameter", f"{key}: there is no such parameter; choose from {choices}", key
            )
        values[name][parameter] = text

    operations = []
    for name in names:
        try:
            operations.append((name, parse_augmentation(name, values[name])))
        except ParameterError as error:
            raise invalid_parameter(f"{name}.{error.parameter}", str(error)) from error
    return Compose(tuple(operations))
