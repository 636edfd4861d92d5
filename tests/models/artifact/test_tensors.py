"""Tensors of a safetensors file, read without PyTorch: the values and the digest that PyTorch would give."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from models.artifact.tensors import StoredTensor, digest_tensors, read_tensors

DTYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
)
SHAPES: tuple[tuple[int, ...], ...] = ((), (7,), (2, 3, 5), (0, 4))


def of_type(dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """Noise: of floats normal numbers with some that are 0, subnormal, infinite or none; else all values."""
    generator = torch.Generator().manual_seed(0)
    if not dtype.is_floating_point:
        return torch.randint(-(2**62), 2**62, shape, generator=generator).to(dtype)
    values = torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)
    special = torch.tensor([0, -0.0, torch.finfo(dtype).smallest_normal / 2, torch.inf, torch.nan]).to(dtype)
    values.view(-1)[: len(special)] = special[: values.numel()]
    return values


@pytest.fixture(scope="module")
def tensors() -> dict[str, Tensor]:
    return {
        f"{str(dtype).removeprefix('torch.')}.{len(shape)}": of_type(dtype, shape)
        for dtype in DTYPES
        for shape in SHAPES
    }


@pytest.fixture(scope="module")
def read(tensors: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> dict[str, StoredTensor]:
    file = tmp_path_factory.mktemp("tensors") / "model.safetensors"
    save_file(tensors, file)
    return read_tensors(file)


def test_they_are_read_in_the_order_of_their_names(
    tensors: dict[str, Tensor], read: dict[str, StoredTensor]
) -> None:
    assert list(read) == sorted(tensors)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_values_are_pytorchs(
    tensors: dict[str, Tensor], read: dict[str, StoredTensor], dtype: torch.dtype
) -> None:
    for dimensions in range(len(SHAPES)):
        name = f"{str(dtype).removeprefix('torch.')}.{dimensions}"
        if name not in tensors:
            continue
        tensor, stored = tensors[name], read[name]
        assert (f"torch.{stored.dtype}", stored.shape) == (str(dtype), tuple(tensor.shape))
        assert stored.is_floating_point == dtype.is_floating_point
        widened = tensor.float() if dtype in (torch.float16, torch.bfloat16) else tensor
        values = stored.values()
        assert values.dtype == widened.numpy().dtype
        assert values.shape == tuple(tensor.shape)
        np.testing.assert_array_equal(values, widened.numpy())
        np.testing.assert_array_equal(np.signbit(values), np.signbit(widened.numpy()))


def test_every_bfloat16_is_read_as_it_is() -> None:
    bits = np.arange(2**16, dtype="<u2")
    expected = torch.from_numpy(bits.view(np.int16).copy()).view(torch.bfloat16).float().numpy()
    np.testing.assert_array_equal(StoredTensor("bfloat16", (2**16,), bits.tobytes()).values(), expected)


def test_the_digest_is_that_of_pytorchs_names_types_shapes_and_bytes(
    tensors: dict[str, Tensor], read: dict[str, StoredTensor]
) -> None:
    """Written as it was while PyTorch read the tensors: the digests of older artifacts stay right."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    assert digest_tensors(read) == digest.hexdigest()
    backwards = dict(reversed(read.items()))
    assert digest_tensors(backwards) == digest.hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        {"b": StoredTensor("uint8", (2,), b"ab")},
        {"a": StoredTensor("int8", (2,), b"ab")},
        {"a": StoredTensor("uint8", (1, 2), b"ab")},
        {"a": StoredTensor("uint8", (2,), b"ba")},
        {},
    ],
)
def test_a_change_of_any_of_these_is_another_digest(other: dict[str, StoredTensor]) -> None:
    assert digest_tensors(other) != digest_tensors({"a": StoredTensor("uint8", (2,), b"ab")})


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(3)}, file)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(SafetensorError):
        read_tensors(file)
