"""GET /augmentations: the operations of /augment-preview, with the range of every parameter."""

import inspect
from dataclasses import Field as DeclaredField
from dataclasses import fields
from typing import Any, Literal, get_type_hints

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.http.error_handlers import documented
from app.http.query import NO_QUERY
from models.augmentations import AUGMENTATIONS, Augmentation

router = APIRouter(tags=["augment-preview"])

Kind = Literal["integer", "number", "range", "choice"]

KINDS: dict[object, Kind] = {int: "integer", float: "number", tuple[float, float]: "range", str: "choice"}


class ParameterDescription(BaseModel):
    name: str = Field(description="In a query, `operation.name`.")
    kind: Kind = Field(description="A `range` is two numbers, low and high, separated by a comma in a query.")
    description: str
    default: int | float | tuple[float, float] | str
    minimum: int | float | None = Field(description="Least legal number, of a range for both ends.")
    maximum: int | float | None
    choices: tuple[str, ...] | None = Field(description="Of a `choice`, which has no minimum and maximum.")


class OperationDescription(BaseModel):
    name: str
    description: str
    parameters: list[ParameterDescription]


class OperationList(BaseModel):
    operations: list[OperationDescription]


# Asynchronous though it waits for nothing: FastAPI would run any other function on a thread.
@router.get(
    "/augmentations",
    summary="List the augmentations",
    responses=documented(422),
    dependencies=NO_QUERY,
)
async def list_augmentations() -> OperationList:
    """The operations of `/augment-preview`, their parameters, and what is legal for each."""
    return OperationList(
        operations=[
            OperationDescription(
                name=name,
                description=inspect.cleandoc(operation.__doc__ or "").partition("\n\n")[0].replace("\n", " "),
                parameters=_parameters(operation),
            )
            for name, operation in AUGMENTATIONS.items()
        ]
    )


def _parameters(operation: type[Augmentation]) -> list[ParameterDescription]:
    hints = get_type_hints(operation)
    return [_describe(declared, KINDS[hints[declared.name]]) for declared in fields(operation)]


def _describe(declared: DeclaredField[Any], kind: Kind) -> ParameterDescription:
    about = declared.metadata
    return ParameterDescription(
        name=declared.name,
        kind=kind,
        description=about["description"],
        default=declared.default,
        minimum=about["minimum"],
        maximum=about["maximum"],
        choices=about["choices"],
    )
