"""Augmentations as query parameters: `ops=random_crop&random_crop.padding=4`.

Names, types, ranges and defaults all come from the registry, so that a new operation is accepted and
documented as soon as it is registered there.
"""

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, cast, get_type_hints

from app.errors import ApiError, invalid_parameter
from models.augmentations import AUGMENTATIONS, Compose, ParameterError, create_augmentation
from models.augmentations.parameters import describe_legal


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

    values: dict[str, dict[str, object]] = {name: {} for name in names}
    for key, text in parameters.items():
        name, dot, parameter = key.partition(".")
        if not dot or name not in AUGMENTATIONS:
            raise ApiError(422, "unknown_parameter", f"{key}: there is no such parameter", key)
        if name not in values:
            raise invalid_parameter(key, f"{name} is not among the operations in ops")
        values[name][parameter] = _parse(key, text, name, parameter)

    operations = []
    for name in names:
        try:
            operations.append((name, create_augmentation(name, **values[name])))
        except ParameterError as error:
            raise invalid_parameter(f"{name}.{error.parameter}", str(error)) from error
    return Compose(tuple(operations))


def openapi_parameters() -> list[dict[str, Any]]:
    """Every parameter of every operation, for the API's documentation."""
    documented = []
    for name, operation in AUGMENTATIONS.items():
        hints = get_type_hints(operation)
        for declared in fields(operation):
            hint = hints[declared.name]
            legal = describe_legal(hint, declared)
            documented.append(
                {
                    "name": f"{name}.{declared.name}",
                    "in": "query",
                    "required": False,
                    "description": f"{declared.metadata['description']} Must be {legal}.",
                    "schema": _schema(hint, declared),
                }
            )
    return documented


def _parse(key: str, text: str, name: str, parameter: str) -> object:
    declared = {field.name: field for field in fields(AUGMENTATIONS[name])}
    if parameter not in declared:
        choices = ", ".join(f"{name}.{known}" for known in declared)
        raise ApiError(
            422, "unknown_parameter", f"{key}: there is no such parameter; choose from {choices}", key
        )
    hint = get_type_hints(AUGMENTATIONS[name])[parameter]
    try:
        if hint is int:
            float(int(text))  # which overflows for what is too large to be compared with a range
            return int(text)
        if hint is float:
            return float(text)
        if hint is str:
            return text
        return tuple(float(part) for part in text.split(","))
    except (ValueError, OverflowError) as error:
        right = describe_legal(hint, declared[parameter])
        raise invalid_parameter(key, f"must be {right}, got {text!r}") from error


def _schema(hint: object, declared: Field[Any]) -> dict[str, Any]:
    if hint is str:
        return {"type": "string", "enum": list(declared.metadata["choices"]), "default": declared.default}
    if hint in (int, float):
        return {
            "type": "integer" if hint is int else "number",
            "minimum": declared.metadata["minimum"],
            "maximum": declared.metadata["maximum"],
            "default": declared.default,
        }
    low, high = cast("tuple[float, float]", declared.default)
    return {"type": "string", "pattern": "^[^,]+,[^,]+$", "default": f"{low:g},{high:g}"}
