"""GET /augmentations: the operations of /augment-preview, with the range of every parameter."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.http.error_handlers import documented
from app.http.query import NO_QUERY
from app.routes.augmentation_catalogue import OPERATIONS

router = APIRouter(tags=["augment-preview"])

Kind = Literal["integer", "number", "range", "choice"]

KINDS: dict[str, Kind] = {"integer": "integer", "number": "number", "array": "range", "string": "choice"}
"""By the type in the parameter's JSON Schema."""


class ParameterDescription(BaseModel):
    name: str = Field(description="In a query, `operation.name`.")
    kind: Kind = Field(description="A `range` is two numbers, low and high, separated by a comma in a query.")
    description: str
    default: int | float | tuple[float, float] | str
    minimum: int | float | None = Field(description="Smallest valid value, in a range for both ends.")
    maximum: int | float | None = Field(description="Largest valid value, in a range for both ends.")
    choices: tuple[str, ...] | None = Field(
        description="Valid values of a `choice`, which has no minimum and maximum."
    )


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
    """The operations of `/augment-preview`, their parameters, and the valid values of each."""
    return OperationList(
        operations=[
            OperationDescription(
                name=name,
                description=operation.description,
                parameters=[
                    _describe(key, parameter.json_schema) for key, parameter in operation.parameters.items()
                ],
            )
            for name, operation in OPERATIONS.items()
        ]
    )


def _describe(parameter: str, schema: dict[str, Any]) -> ParameterDescription:
    number = schema["prefixItems"][0] if schema["type"] == "array" else schema
    return ParameterDescription(
        name=parameter,
        kind=KINDS[schema["type"]],
        description=schema["description"],
        default=schema["default"],
        minimum=number.get("minimum"),
        maximum=number.get("maximum"),
        choices=schema.get("enum"),
    )
