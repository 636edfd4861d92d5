"""What every engine is: a loaded network that turns batches into logits."""

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Precision = Literal["float32", "bfloat16", "int8"]

Images: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.float32]
"""Pixels (N, C, S, S) of a network's size: uint8 in 0..255, or float32 in 0..1."""

Floats: TypeAlias = npt.NDArray[np.float32]


class EngineError(ValueError):
    """The engine that was asked for cannot serve this model on this machine; the message says why."""


@dataclass(frozen=True)
class EngineOptions:
    """How to compute, with `threads` processor threads in all; `auto` leaves the choice to the engine.

    With `apart` a conversion that needs PyTorch, and would hold up networks that compute meanwhile, is done
    by another process.
    """

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto"] | Precision = "auto"
    threads: int = 1
    compile: bool = False
    apart: bool = False


class Engine(Protocol):
    """`name`, `version`, `device` and `precision` are for people to read.

    `concurrency` batches may be computed at once, each by a call of `predict` from its own thread.
    `max_batch` is the largest batch worth forming, None where only a measurement on the machine can tell.

    It normalises pixels itself, as the metadata of its model say. An image's logits do not depend on which
    other images share its batch, up to float rounding: libraries may add up a batch of another size in
    another order. The tests hold this to 1e-5 of a probability in float32, and in int8, where such a
    difference can tip the rounding of a value, to 0.01.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def precision(self) -> Precision: ...
    @property
    def concurrency(self) -> int: ...
    @property
    def max_batch(self) -> int | None: ...

    def predict(self, images: Images) -> Floats:
        """The logits of `images`, (N, classes)."""
        ...

    def predict_with_features(self, images: Images) -> tuple[Floats, Floats]:
        """As `predict`, and in the same pass what the last linear layer takes, (N, D)."""
        ...

    def for_throughput(self) -> "Engine | None":
        """Another engine of the same network, that computes more images a second and a lone one later.

        It takes time and memory. None where there is nothing to gain. A caller uses either at a time.
        """
        ...
