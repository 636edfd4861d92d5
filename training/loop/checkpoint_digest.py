"""The digest of a checkpoint's values, by which a flipped bit is found before a run goes on from it."""

import hashlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


def digest(values: Any) -> str:  # noqa: ANN401 (a tree of whatever torch.save writes)
    """SHA-256 over dictionaries, lists, tuples, tensors, texts, numbers, booleans and None in any nesting.

    Two trees have the same digest where every type, key, shape and value is the same, bit for bit;
    dictionaries count in their order. Raises `TypeError` for a value of any other type.
    """
    result = hashlib.sha256()
    for part in _parts(values):
        result.update(part)
    return result.hexdigest()


def _parts(value: Any) -> Iterator[Any]:  # noqa: ANN401
    # Each part tells its type and length first, so that no two trees run together into the same bytes.
    if isinstance(value, Tensor):
        bare = value.detach().cpu().contiguous()
        yield f"tensor {bare.dtype} {tuple(bare.shape)};".encode()
        yield bare.reshape(-1).view(torch.uint8).numpy().data
    elif isinstance(value, dict):
        yield f"dict {len(value)};".encode()
        for key, each in value.items():
            yield from _parts(key)
            yield from _parts(each)
    elif isinstance(value, list | tuple):
        yield f"{type(value).__name__} {len(value)};".encode()
        for each in value:
            yield from _parts(each)
    elif value is None or isinstance(value, bool | int | float | str):
        text = repr(value).encode(errors="surrogatepass")
        yield f"{type(value).__name__} {len(text)};".encode()
        yield text
    else:
        raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")
