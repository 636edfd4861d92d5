"""What a network's batch norms would do to a request, and the refusal of those that would do wrong."""

from dataclasses import dataclass

from torch import Tensor, nn

from models.batch_norm.layer import BATCH_NORMS


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


def batch_norm_report(model: nn.Module) -> list[BatchNormLayer]:
    """List every batch norm of `model`, ours and PyTorch's, in the order of the state dict."""
    report = []
    for name, module in model.named_modules():
        if isinstance(module, BATCH_NORMS):
            mean_min, mean_max = _range(module.running_mean)
            var_min, var_max = _range(module.running_var)
            updates = module.num_batches_tracked
            report.append(
                BatchNormLayer(
                    name=name,
                    features=module.num_features,
                    training=module.training,
                    updates_seen=0 if updates is None else int(updates),
                    running_mean_min=mean_min,
                    running_mean_max=mean_max,
                    running_var_min=var_min,
                    running_var_max=var_max,
                )
            )
    return report


def require_inference_ready(model: nn.Module) -> None:
    """Raise `ValueError`, naming the layer, if a batch norm of `model` would spoil predictions.

    That is one in training mode, which lets images influence each other, one without running statistics, and
    one whose running statistics were never updated and so still are the initial 0 and 1.
    """
    for layer in batch_norm_report(model):
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


def _range(values: Tensor | None) -> tuple[float | None, float | None]:
    return (None, None) if values is None else (values.min().item(), values.max().item())
