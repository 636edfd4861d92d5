"""What a network's batch norms would do to a request, and the refusal of those that would do wrong.

Read from stored tensors, without PyTorch; `models.batch_norm.report` reads the same from a network.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class BatchNormLayer:
    """The state of one batch norm.

    `training` is true where it would use the statistics of the batch. `updates_seen` counts the batches that
    went into the running statistics; their ranges are over the features, None where there are none.
    """

    name: str
    features: int
    training: bool
    updates_seen: int
    running_mean_min: float | None
    running_mean_max: float | None
    running_var_min: float | None
    running_var_max: float | None


def stored_batch_norms(
    names: Iterable[str], tensors: Mapping[str, npt.NDArray[np.generic]]
) -> list[BatchNormLayer]:
    """The batch norms called `names` of a network in eval mode with these `tensors`, its state dict."""
    layers = []
    for name in names:
        mean, var = (tensors.get(f"{name}.{each}") for each in ("running_mean", "running_var"))
        updates, bias = (tensors.get(f"{name}.{each}") for each in ("num_batches_tracked", "bias"))
        first = next((each for each in (mean, var, bias) if each is not None), None)
        layers.append(
            BatchNormLayer(
                name=name,
                features=0 if first is None else first.size,
                training=False,
                updates_seen=0 if updates is None else int(updates),
                running_mean_min=None if mean is None else float(mean.min()),
                running_mean_max=None if mean is None else float(mean.max()),
                running_var_min=None if var is None else float(var.min()),
                running_var_max=None if var is None else float(var.max()),
            )
        )
    return layers


def require_ready(layers: Iterable[BatchNormLayer]) -> None:
    """Raise `ValueError`, naming the layer, if one of `layers` would spoil predictions.

    That is one in training mode, which lets images influence each other, one without running statistics, and
    one whose running statistics were never updated and so still are the initial 0 and 1.
    """
    for layer in layers:
        if layer.training:
            raise ValueError(f"batch norm {layer.name} is in training mode: call eval() before serving")
        if layer.running_mean_min is None or layer.running_var_min is None:
            raise ValueError(
                f"batch norm {layer.name} keeps no running statistics: it cannot serve single images"
            )
        if layer.updates_seen == 0:
            raise ValueError(
                f"batch norm {layer.name} was never updated: train the network before serving it"
            )
