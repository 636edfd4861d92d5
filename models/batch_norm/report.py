"""The state of a network's batch norms: see `models.batch_norm.facts`, which reads it from stored tensors."""

from torch import Tensor, nn

from models.batch_norm.facts import BatchNormLayer, require_ready
from models.batch_norm.layer import BATCH_NORMS


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
    """Raise `ValueError`, naming the layer, if a batch norm of `model` is refused by `require_ready`."""
    require_ready(batch_norm_report(model))


def _range(values: Tensor | None) -> tuple[float | None, float | None]:
    return (None, None) if values is None else (values.min().item(), values.max().item())
