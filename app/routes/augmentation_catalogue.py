"""What can be said of the augmentations without importing them, and PyTorch with them.

`augmentations.json` beside this is written from `models.augmentations.AUGMENTATIONS` by
`python -m tests.documents.tables`; a test holds the two together.
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).with_name("augmentations.json")


class Parameter(BaseModel):
    """`legal` follows "must be"."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    json_schema: dict[str, Any] = Field(alias="schema")
    legal: str


class Operation(BaseModel):
    """`description` is its first sentence or two."""

    model_config = ConfigDict(extra="forbid")

    description: str
    parameters: dict[str, Parameter]


OPERATIONS: dict[str, Operation] = {
    name: Operation.model_validate(about)
    for name, about in json.loads(FILE.read_text(encoding="utf-8")).items()
}


def openapi_parameters() -> list[dict[str, Any]]:
    """Every parameter of every operation, for the API's documentation."""
    return [
        {
            "name": f"{name}.{key}",
            "in": "query",
            "required": False,
            "description": f"{parameter.json_schema['description']} Must be {parameter.legal}.",
            "schema": _in_query(parameter.json_schema),
        }
        for name, operation in OPERATIONS.items()
        for key, parameter in operation.parameters.items()
    ]


def _in_query(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter as it is written in a query, where a range is a text."""
    if schema["type"] == "array":
        low, high = schema["default"]
        end = "[0-9]+" if schema["prefixItems"][0]["type"] == "integer" else "[^,]+"
        return {"type": "string", "pattern": f"^{end},{end}$", "default": f"{low:g},{high:g}"}
    return {key: value for key, value in schema.items() if key not in ("description", "title")}


DEFAULTS = {entry["name"]: entry["schema"]["default"] for entry in openapi_parameters()}
"""Of the parameters of all operations, as they are documented."""
