"""How an operation declares its parameters, and how their values are checked.

A declaration is kept as the metadata of a dataclass field, where documentation, forms and the parser of
query strings find it: `description`, `minimum` and `maximum` (of numbers, inclusive), `choices` (of strings).
"""

import math
from dataclasses import Field, field, fields
from typing import Any, TypeVar, get_type_hints

from models.augmentations.base import Augmentation

T = TypeVar("T", float, int, str, tuple[float, float])


class ParameterError(ValueError):
    """A parameter that does not exist or whose value is illegal; `parameter` is its name."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter


def parameter(
    default: T,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
) -> T:
    """Declare a field of an operation: numbers and ranges need `minimum` and `maximum`, strings `choices`."""
    metadata = {"description": description, "minimum": minimum, "maximum": maximum, "choices": choices}
    return field(default=default, metadata=metadata)


def check_parameters(operation: Augmentation) -> None:
    """Raise `ParameterError`, naming the parameter and what is right, unless every field is as declared.

    To be called by `__post_init__`.
    """
    hints = get_type_hints(type(operation))
    for declared in fields(operation):
        value = getattr(operation, declared.name)
        if not _is_legal(value, hints[declared.name], declared):
            right = describe_legal(hints[declared.name], declared)
            raise ParameterError(declared.name, f"{declared.name} must be {right}, got {value!r}")


def describe_legal(hint: object, declared: Field[Any]) -> str:
    """Say which values a field of type `hint` takes, as a phrase that follows "must be"."""
    if hint is str:
        return "one of " + ", ".join(declared.metadata["choices"])
    bounds = f"{declared.metadata['minimum']:g}..{declared.metadata['maximum']:g}"
    if hint is int:
        return f"a whole number in {bounds}"
    if hint is float:
        return f"a number in {bounds}"
    return f"a pair of numbers (low, high) in {bounds}, low not above high"


def _is_legal(value: object, hint: object, declared: Field[Any]) -> bool:
    if hint is str:
        return value in declared.metadata["choices"]
    if hint is int:
        return isinstance(value, int) and _is_number_within(value, declared)
    if hint is float:
        return _is_number_within(value, declared)
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    low, high = value
    return _is_number_within(low, declared) and _is_number_within(high, declared) and low <= high


def _is_number_within(value: object, declared: Field[Any]) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return False
    return bool(declared.metadata["minimum"] <= value <= declared.metadata["maximum"])
