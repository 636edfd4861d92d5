"""The Open Inference Protocol V2 over REST: bytes of a request to tensors, tensors to bytes of an answer.

Knows neither HTTP nor the model. A body is JSON, or JSON followed by the tensors as binary data, whose length
the header `Inference-Header-Content-Length` then tells. Sources:
https://github.com/kserve/open-inference-protocol and, for binary data, an extension of Triton,
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, Field, ValidationError
from pydantic_core import from_json, to_json

from app.errors import ProtocolError
from app.v2.json_numbers import Numbers, extract_numbers

NUMBERS: dict[str, np.dtype[Any]] = {"UINT8": np.dtype("u1"), "FP32": np.dtype("<f4")}
"""The datatypes that are numbers, as they lie in binary data; BYTES is the third that is understood."""

LENGTH = struct.Struct("<I")
"""What stands before each element of a BYTES tensor in binary data."""

MAX_ELEMENTS = 25_000
"""Of the JSON beside arrays of numbers, counted before any is made, and of a BYTES tensor. A file is one."""

MAX_TENSORS = 16
"""Inputs, and outputs, that are looked at, so that there are never many errors of them."""

MAX_ID = 1000
"""Characters of a request's id, which the answer repeats. With ten million of them, a compressed request of
10 kB asked for 10 MB, written while all others waited."""

DATA_KINDS = ("list[any]", "str")
"""What the library puts into the path of an error of `data`: it is either, and no part of what was sent."""

MAX_SIDE = 2**63 - 1
"""Of a shape, as 64 bits hold it. Far larger ones have a product that Python does not write out."""

Parameters = Annotated[dict[str, Any], BeforeValidator(lambda given: {} if given is None else given)]
"""`null` is none."""


class _Input(BaseModel):
    name: str
    shape: list[Annotated[int, Field(ge=0, le=MAX_SIDE, strict=True)]] = Field(min_length=1, max_length=8)
    datatype: Literal["UINT8", "FP32", "BYTES"]
    parameters: Parameters = {}
    data: list[Any] | str | None = None


class OutputRequest(BaseModel):
    """An output that was asked for. `parameters`: `binary_data` and `classification` are understood."""

    name: str
    parameters: Parameters = {}


class _Header(BaseModel):
    id: str | None = Field(None, max_length=MAX_ID)
    parameters: Parameters = {}
    inputs: list[_Input] = Field(min_length=1, max_length=MAX_TENSORS)
    outputs: list[OutputRequest] | None = Field(None, max_length=MAX_TENSORS)


@dataclass(frozen=True)
class InputTensor:
    """`values` is an array of numbers of this shape; for BYTES, the elements in their order.

    `binary` tells whether they came as binary data, or in JSON, where bytes can only be text.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: npt.NDArray[Any] | list[bytes]
    binary: bool


@dataclass(frozen=True)
class InferRequest:
    """`outputs` is None where none are named: then all are wanted."""

    id: str | None
    parameters: dict[str, Any]
    inputs: list[InputTensor]
    outputs: list[OutputRequest] | None

    def wants_binary(self, output: OutputRequest, where: str = "output") -> bool:
        """Whether an output is wanted as binary data: by its own word, else by the request's.

        Raises `ProtocolError`, which says `where` the output stands, if the word is neither true nor false.
        """
        every = _flag(self.parameters, "binary_data_output", "parameters", default=False)
        return _flag(output.parameters, "binary_data", f"{where}.parameters", default=every)


@dataclass(frozen=True)
class OutputTensor:
    """`values` is an array of numbers of this shape; for BYTES, the elements in their order."""

    name: str
    datatype: Literal["FP32", "BYTES"]
    shape: tuple[int, ...]
    values: npt.NDArray[np.float32] | list[bytes]
    binary: bool


def parse_request(body: bytes, header_length: str | None) -> InferRequest:
    """Read a request. `header_length` is the HTTP header that tells how much of the body is JSON, if sent.

    In JSON, the elements of a BYTES tensor are strings, passed on in UTF-8. Raises `ProtocolError`.
    """
    length = len(body) if header_length is None else _header_length(header_length, len(body))
    header, numbers = _read_header(body[:length])
    rest = memoryview(body)[length:]
    inputs = []
    for number, each in enumerate(header.inputs):
        where = f"inputs[{number}]"
        if any(name.startswith("shared_memory") for name in each.parameters):
            raise ProtocolError(f"{where}.parameters: shared memory is not offered; send the data itself")
        size = each.parameters.get("binary_data_size")
        if size is None:
            values = _from_json(each, numbers, where)
        else:
            if each.data is not None:
                raise ProtocolError(f"{where}: there must be either data or binary_data_size, not both")
            if type(size) is not int or not 0 <= size <= len(rest):
                raise ProtocolError(
                    f"{where}.parameters.binary_data_size: must be in 0..{len(rest)}, the bytes left, "
                    f"got {size!r}"
                )
            values, rest = _from_binary(each, rest[:size], where), rest[size:]
        inputs.append(InputTensor(each.name, each.datatype, tuple(each.shape), values, size is not None))
    if len(rest):
        raise ProtocolError(f"the body holds {len(rest)} bytes that belong to no input")
    return InferRequest(header.id, header.parameters, inputs, header.outputs)


def _read_header(text: bytes) -> tuple[_Header, dict[str, Numbers]]:
    rest, numbers = extract_numbers(text)
    if sum(map(rest.count, (b",", b"[", b"{"))) > MAX_ELEMENTS:
        raise ProtocolError(
            f"the JSON has more than {MAX_ELEMENTS} elements beside tensors of numbers; send binary data"
        )
    try:
        return _Header.model_validate(from_json(rest, allow_inf_nan=False)), numbers
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        # The library's own words name the class of ours that it would make.
        message = "must be an object" if first["type"] == "model_type" else first["msg"]
        location = [part for part in first["loc"] if part not in DATA_KINDS]
        if len(location) < len(first["loc"]):
            message = "must be an array"
        raise ProtocolError(f"{_path(location) or 'the JSON'}: {message}") from error
    except ValueError as error:
        raise ProtocolError(f"Invalid JSON: {error}") from error


def encode_response(
    model_name: str, model_version: str, request_id: str | None, outputs: Sequence[OutputTensor]
) -> tuple[bytes, int | None]:
    """The body of an answer, and how much of it is JSON where binary data follow."""
    described, binary = [], []
    for output in outputs:
        entry: dict[str, Any] = {
            "name": output.name,
            "datatype": output.datatype,
            "shape": list(output.shape),
        }
        if output.binary:
            data = _to_binary(output)
            entry["parameters"] = {"binary_data_size": len(data)}
            binary.append(data)
        elif isinstance(output.values, list):
            entry["data"] = [element.decode() for element in output.values]
        else:
            entry["data"] = output.values.ravel().tolist()
        described.append(entry)
    answer = {"model_name": model_name, "model_version": model_version, "outputs": described}
    content = answer if request_id is None else {"id": request_id, **answer}
    header = to_json(content, inf_nan_mode="null")
    return header + b"".join(binary), len(header) if binary else None


def _header_length(text: str, body_length: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > body_length:
        raise ProtocolError(
            f"Inference-Header-Content-Length: must be in 0..{body_length}, the body's length, got {text!r}"
        )
    return int(text)


def _path(location: Sequence[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")


def _flag(parameters: dict[str, Any], name: str, where: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise ProtocolError(f"{where}.{name}: must be true or false, got {value!r}")
    return value


def _from_json(tensor: _Input, numbers: dict[str, Numbers], where: str) -> npt.NDArray[Any] | list[bytes]:
    data = tensor.data
    if data is None:
        raise ProtocolError(f"{where}.data: is missing, and there is no binary_data_size either")
    if isinstance(data, str):
        if data not in numbers:
            raise ProtocolError(f"{where}.data: must be an array")
        return _numbers(numbers[data], tensor, where)
    if tensor.datatype != "BYTES":
        raise ProtocolError(f"{where}.data: must be numbers")
    elements = _flat(data)
    if not set(map(type, elements)) <= {str}:
        raise ProtocolError(f"{where}.data: the elements of a BYTES tensor must be strings in JSON")
    _require_count(len(elements), tensor, where)
    return [text.encode() for text in elements]


def _numbers(numbers: Numbers, tensor: _Input, where: str) -> npt.NDArray[Any] | list[bytes]:
    if tensor.datatype == "BYTES" and len(numbers):
        raise ProtocolError(f"{where}.data: the elements of a BYTES tensor must be strings in JSON")
    _require_count(len(numbers), tensor, where)
    if tensor.datatype == "BYTES":
        return []
    if tensor.datatype == "UINT8" and not (
        ((numbers >= 0) & (numbers <= 255) & (numbers == np.floor(numbers))).all()
    ):
        raise ProtocolError(f"{where}.data: UINT8 must be whole numbers in 0..255")
    with np.errstate(over="ignore"):  # what is too large for FP32 becomes infinite
        return _shaped(numbers.astype(NUMBERS[tensor.datatype]), tensor, where)


def _from_binary(tensor: _Input, data: memoryview, where: str) -> npt.NDArray[Any] | list[bytes]:
    if tensor.datatype != "BYTES":
        dtype = NUMBERS[tensor.datatype]
        needed = math.prod(tensor.shape) * dtype.itemsize
        if len(data) != needed:
            raise ProtocolError(
                f"{where}: shape {tensor.shape} of {tensor.datatype} takes {needed} bytes, got {len(data)}"
            )
        return _shaped(np.frombuffer(data, dtype), tensor, where)
    elements: list[bytes] = []
    while len(data):
        if len(elements) == MAX_ELEMENTS:
            raise ProtocolError(f"{where}: a BYTES tensor may have at most {MAX_ELEMENTS} elements")
        if len(data) < LENGTH.size or LENGTH.unpack_from(data)[0] > len(data) - LENGTH.size:
            raise ProtocolError(f"{where}: the binary data end within element {len(elements)}")
        end = LENGTH.size + LENGTH.unpack_from(data)[0]
        elements.append(bytes(data[LENGTH.size : end]))
        data = data[end:]
    _require_count(len(elements), tensor, where)
    return elements


def _flat(data: list[Any]) -> list[Any]:
    """The elements of lists in lists, which JSON may hold only a hundred deep."""
    if list not in set(map(type, data)):
        return data
    found: list[Any] = []
    for each in data:
        found += _flat(each) if isinstance(each, list) else [each]
    return found


def _require_count(count: int, tensor: _Input, where: str) -> None:
    if count != math.prod(tensor.shape):
        raise ProtocolError(
            f"{where}: shape {tensor.shape} has {math.prod(tensor.shape)} elements, but the data have {count}"
        )


def _shaped(numbers: npt.NDArray[Any], tensor: _Input, where: str) -> npt.NDArray[Any]:
    try:
        return numbers.reshape(tensor.shape)
    # Of no elements at all, one side may still be longer than there can be.
    except ValueError as error:
        raise ProtocolError(f"{where}.shape: {tensor.shape} is more than an array can have") from error


def _to_binary(output: OutputTensor) -> bytes:
    if isinstance(output.values, list):
        return b"".join(LENGTH.pack(len(element)) + element for element in output.values)
    return output.values.astype(NUMBERS["FP32"]).tobytes()
