"""What is legal for the parameters of an operation, told from its model, and the error for what is not."""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Self, TypeVar, cast

from pydantic import AfterValidator, ValidationError

from models.augmentations.base import Augmentation

T = TypeVar("T", int, float)


def _in_order(pair: tuple[T, T]) -> tuple[T, T]:
    if pair[0] > pair[1]:
        raise ValueError("low must not be above high")
    return pair


Range = Annotated[tuple[T, T], AfterValidator(_in_order)]
"""Two numbers (low, high), low not above high: `Range[Annotated[float, Field(ge=0, le=1)]]`."""


class ParameterError(ValueError):
    """A parameter that does not exist or whose value is illegal; `parameter` is its name."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(message)
        self.parameter = parameter

    @classmethod
    def from_validation_error(
        cls, error: ValidationError, kind: type[Augmentation], given: Mapping[str, object]
    ) -> Self:
        """The first of pydantic's complaints about the parameters `given` to `kind`, as one sentence."""
        name = str(error.errors()[0]["loc"][0])
        legal = describe_legal(parameter_schemas(kind)[name])
        return cls(name, f"{name} must be {legal}, got {given[name]!r}")


@cache
def parameter_schemas(kind: type[Augmentation]) -> dict[str, dict[str, Any]]:
    """The JSON Schema of every parameter by its name, in order.

    Numbers have a `type`, `minimum` and `maximum`, ranges the type `array` and two such `prefixItems`, and
    choices an `enum`; all have a `default` and a `description`.
    """
    return cast("dict[str, dict[str, Any]]", kind.model_json_schema()["properties"])


def describe_legal(schema: Mapping[str, Any]) -> str:
    """Say which values a parameter of this schema takes, as a phrase that follows "must be"."""
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if schema["type"] == "array":
        return f"a pair of {_numbers(schema['prefixItems'][0], 's (low, high)')}, low not above high"
    return f"a {_numbers(schema)}"


def _numbers(schema: Mapping[str, Any], ending: str = "") -> str:
    kind = "whole number" if schema["type"] == "integer" else "number"
    return f"{kind}{ending} in {schema['minimum']:g}..{schema['maximum']:g}"
