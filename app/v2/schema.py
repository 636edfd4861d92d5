"""The tensors of a request for inference and of its answer, for the API's documentation."""

from typing import Any

from pydantic import BaseModel, Field, JsonValue

from app.http.uploads import PIXEL
from app.v2.codec import MAX_ID
from app.v2.tensors import IMAGE_BYTES, IMAGES, LABEL, PROBABILITIES, UNFAMILIARITY

_BINARY = {"type": "string", "format": "binary"}
_PARAMETERS = {"type": ["object", "null"], "additionalProperties": True}


def _input(name: str, datatypes: list[str], shape: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "title": name,
        "required": ["name", "datatype", "shape", "data"],
        "properties": {
            "name": {"const": name},
            "datatype": {"enum": datatypes},
            "shape": {"type": "array", **shape},
            "data": {"type": "array", "minItems": 1, **data},
            "parameters": _PARAMETERS,
        },
    }


def _output(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    binary = {"type": "boolean", "description": "Whether to send it after the JSON, as binary data."}
    return {
        "type": "object",
        "title": name,
        "required": ["name"],
        "properties": {
            "name": {"const": name},
            "parameters": {**_PARAMETERS, "properties": {"binary_data": binary, **parameters}},
        },
    }


_COUNT = {"type": "integer", "minimum": 1}
_CLASSIFICATION = {
    "type": "integer",
    "minimum": 0,
    "description": "Above 0: return that many of the most probable classes, as text.",
}

REQUEST: dict[str, Any] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {
            "type": ["string", "null"],
            "maxLength": MAX_ID,
            "description": "Returned in the response.",
        },
        "parameters": {**_PARAMETERS, "properties": {"binary_data_output": {"type": "boolean"}}},
        "inputs": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "anyOf": [
                    _input(
                        IMAGE_BYTES,
                        ["BYTES"],
                        {
                            "items": _COUNT,
                            "minItems": 1,
                            "maxItems": 1,
                            "description": "Number of files.",
                        },
                        {"items": {"type": "string", "format": "byte"}, "description": "Files in Base64."},
                    ),
                    _input(
                        IMAGES,
                        ["UINT8", "FP32"],
                        {"items": _COUNT, "minItems": 4, "maxItems": 4, "description": "[N, C, S, S]"},
                        {"description": "Numbers, flat or nested: 0..255, or for FP32 0..1."},
                    ),
                ]
            },
        },
        "outputs": {
            "type": ["array", "null"],
            "items": {
                "anyOf": [
                    _output(PROBABILITIES, {"classification": _CLASSIFICATION}),
                    _output(LABEL, {}),
                    _output(UNFAMILIARITY, {}),
                ]
            },
            "maxItems": 3,
            "description": "The outputs to return, each once; by default all that the model has.",
        },
    },
}


class OutputTensor(BaseModel):
    name: str
    datatype: str
    shape: list[int]
    data: list[float] | list[str] | None = Field(None, description="Flat; missing if the data are binary.")
    parameters: dict[str, JsonValue] | None = Field(
        None, description="For binary data, `binary_data_size`: their length in bytes."
    )


class InferResponse(BaseModel):
    id: str | None = Field(None, description="As it was sent.")
    model_name: str
    model_version: str
    outputs: list[OutputTensor]


EXAMPLE = {"inputs": [{"name": IMAGE_BYTES, "datatype": "BYTES", "shape": [1], "data": [PIXEL]}]}

DOCUMENTED: dict[str, Any] = {
    "parameters": [
        {
            "name": "Inference-Header-Content-Length",
            "in": "header",
            "description": "Length in bytes of the JSON at the start of the body, if binary data follow it.",
            "schema": {"type": "integer", "minimum": 0},
        }
    ],
    "requestBody": {
        "required": True,
        "description": "The protocol's JSON, with the tensors in it or after it as binary data.",
        "content": {
            "application/json": {"schema": REQUEST, "example": EXAMPLE},
            "application/octet-stream": {"schema": _BINARY},
        },
    },
    "responses": {"200": {"content": {"application/octet-stream": {"schema": _BINARY}}}},
}
"""What a route adds to its own `response_model`, as its `openapi_extra`."""
