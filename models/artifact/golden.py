"""Golden tensors: a few images and their logits, stored beside the weights to prove an engine right."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from models.artifact.store import ArtifactError

GOLDEN_FILE = "golden.safetensors"

GoldenLogits = Literal["logits", "int8_logits"]
"""The tensors of logits that the file may hold: of the stored weights in float32, and of the int8 network."""


class GoldenError(ArtifactError):
    """An engine computes other logits than those that are stored."""


def check_golden(
    folder: Path,
    predict: Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]],
    tolerance: float,
    expected: GoldenLogits = "logits",
) -> None:
    """Compare `predict` with the golden logits in `folder` that `expected` names.

    `predict` takes the stored images, uint8 (N, C, S, S), and returns logits (N, classes), as the method of
    every engine does. `tolerance` is the largest absolute difference allowed.

    Raises `ArtifactError` if the file is missing or damaged, and `GoldenError` if a logit differs by more.
    """
    file = folder / GOLDEN_FILE
    if not file.is_file():
        raise ArtifactError(f"{file}: the file is missing")
    try:
        golden = load_file(file)
    except SafetensorError as error:
        raise ArtifactError(f"{file}: not a whole safetensors file ({error})") from error
    for name in ("images", expected):
        if name not in golden:
            raise ArtifactError(f"{file}: tensor {name} is missing")
    stored = golden[expected]
    logits = predict(golden["images"])
    if logits.shape != stored.shape:
        raise ArtifactError(
            f"{file}: the engine gives {expected} of shape {logits.shape}, stored are {stored.shape}"
        )
    difference = float(np.abs(logits - stored).max())
    # Written so that a difference of NaN is refused too.
    if not difference <= tolerance:
        raise GoldenError(
            f"{file}: the engine's {expected} differ by up to {difference:.3g}, allowed are {tolerance:.3g}"
        )
