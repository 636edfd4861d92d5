import pytest
import torch
from torch import nn

from models import create_model
from models.batch_norm.layer import BatchNorm
from training.loop.batch_norm_statistics import reestimate_batch_norm


@pytest.mark.parametrize("norm_layer", [BatchNorm, nn.BatchNorm2d, nn.SyncBatchNorm])
def test_statistics_are_the_mean_over_the_batches(
    norm_layer: type[BatchNorm] | type[nn.BatchNorm2d] | type[nn.SyncBatchNorm],
) -> None:
    """By hand: the convolution doubles; batches 1, 3 and 5, 9 have means 2, 7 and unbiased variances 2, 8."""
    conv = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(conv.weight, 2.0)
    norm = norm_layer(1)
    model = nn.Sequential(conv, norm)
    model(torch.randn(4, 1, 2, 2) + 100)  # what was gathered on the way
    batches = [torch.tensor(values).view(2, 1, 1, 1) for values in ([1.0, 3.0], [5.0, 9.0])]
    reestimate_batch_norm(model, batches, torch.float32)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert norm.running_mean.item() == pytest.approx(2 * (2 + 7) / 2)
    assert norm.running_var.item() == pytest.approx(4 * (2 + 8) / 2)
    assert norm.num_batches_tracked is not None
    assert norm.num_batches_tracked.item() == 2


@pytest.mark.parametrize("training", [True, False])
def test_nothing_else_changes(training: bool) -> None:
    model = create_model("airbench94", 3).train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    reestimate_batch_norm(model, [torch.randn(8, 3, 16, 16)], torch.float32)
    assert all(module.training == training for module in model.modules())
    assert {m.momentum for m in model.modules() if isinstance(m, BatchNorm)} == {0.4}
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if "running" in name or "tracked" in name}


def test_no_batch_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="batches must hold at least one batch"):
        reestimate_batch_norm(nn.Sequential(BatchNorm(2)), [], torch.float32)
