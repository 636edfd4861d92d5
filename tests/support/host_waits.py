"""Finds on any machine what would make the host wait for a GPU, among the operations of the backend."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

ATEN = torch.ops.aten

FETCHING = {
    ATEN._local_scalar_dense.default: "a value is fetched",
    ATEN.equal.default: "a comparison is fetched",
    ATEN.nonzero.default: "the size of a selection is fetched",
    ATEN.masked_select.default: "the size of a selection is fetched",
    ATEN._unique2.default: "the number of values is fetched",
    ATEN.bincount.default: "the largest value is fetched",
    ATEN.repeat_interleave.Tensor: "the length of the result is fetched",
    ATEN.lift_fresh.default: "values of the host are copied to the device",
}
INDEXING = {ATEN.index.Tensor, ATEN.index_put.default, ATEN.index_put_.default}


class HostWaits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While entered, notes in `found` every operation for whose result the host would have to wait."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: list[str] = []

    def __torch_dispatch__(
        self,
        func: Callable[..., object],
        _types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        if func in FETCHING:
            self.found.append(f"{func}: {FETCHING[func]}")
        if func in INDEXING and any(isinstance(i, Tensor) and i.dtype == torch.bool for i in args[1]):
            self.found.append(f"{func}: the number of true values is fetched")
        return func(*args, **(kwargs or {}))
