"""Tensors as a safetensors file holds them, read without PyTorch."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, deserialize

TYPES: dict[str, str] = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
"""Names of the file format, and those of PyTorch and NumPy."""


@dataclass(frozen=True)
class StoredTensor:
    """`dtype` is one of `TYPES`' values; `data` are its bytes, little-endian, the last dimension first."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes | bytearray

    @property
    def is_floating_point(self) -> bool:
        return "float" in self.dtype

    def values(self) -> npt.NDArray[Any]:
        """The numbers: float32 where they are of a smaller floating type, and as they are otherwise."""
        if self.dtype == "bfloat16":
            # The upper half of a float32, which NumPy has no type for.
            upper = np.frombuffer(self.data, "<u2").astype(np.uint32)
            return (upper << 16).view(np.float32).reshape(self.shape)
        values = np.frombuffer(self.data, self.dtype).reshape(self.shape)
        return values.astype(np.float32) if self.dtype == "float16" else values


def read_tensors(file: Path) -> dict[str, StoredTensor]:
    """All tensors of a safetensors file by their names, in the order of those.

    Raises `SafetensorError` for a damaged file, and for types that no network here has.
    """
    found = deserialize(file.read_bytes())  # type: ignore[no-untyped-call]
    tensors = {}
    for name, about in sorted(found, key=lambda each: each[0]):
        if about["dtype"] not in TYPES:
            raise SafetensorError(f"tensor {name} has the type {about['dtype']}")
        tensors[name] = StoredTensor(TYPES[about["dtype"]], tuple(about["shape"]), about["data"])
    return tensors


def digest_tensors(tensors: Mapping[str, StoredTensor]) -> str:
    """SHA-256 over every tensor's name, type, shape and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, f"torch.{tensor.dtype}", list(tensor.shape)]).encode())
        digest.update(tensor.data)
    return digest.hexdigest()
