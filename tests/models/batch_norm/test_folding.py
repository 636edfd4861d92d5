"""The folded network computes the same with fewer modules."""

import pytest
import torch
from torch import Tensor, nn

from models import ARCHITECTURES, create_model
from models.batch_norm.folding import fold_batch_norms
from models.batch_norm.layer import BATCH_NORMS, BatchNorm


def _moved_statistics(model: nn.Module) -> nn.Module:
    """Batch norms of a new network change nothing in eval mode; these do."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, BATCH_NORMS):
            for tensor in (module.running_mean, module.bias):
                tensor.data.normal_(0, 0.3, generator=generator)  # type: ignore[union-attr]
            for tensor in (module.running_var, module.weight):
                if tensor is not None:
                    tensor.data.uniform_(0.5, 1.5, generator=generator)
    return model.eval()


@pytest.mark.parametrize(
    ("architecture", "norm_layer"),
    # nn.BatchNorm2d refuses the features (N, C) that LeNet normalises too.
    [*((name, BatchNorm) for name in ARCHITECTURES), ("resnet18-3x3", nn.BatchNorm2d)],
)
def test_logits_stay_and_no_convolution_keeps_its_batch_norm(
    architecture: str, norm_layer: type[BatchNorm] | type[nn.BatchNorm2d]
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _moved_statistics(create_model(architecture, 10, norm_layer=norm_layer))
        images = torch.randn(2, 3, 32, 32)
    folded = fold_batch_norms(model)
    with torch.inference_mode():
        expected, logits = model(images), folded(images)
    assert torch.allclose(logits, expected, rtol=1e-4, atol=1e-4)
    # What is left normalises features (N, C).
    left = {name.rpartition(".")[0] for name, m in folded.named_modules() if isinstance(m, BATCH_NORMS)}
    assert left <= {"classifier"}
    assert not folded.training


@pytest.mark.parametrize(("scale", "folded_norms"), [([0.5, 0.0, 2.0], 1), ([0.5, -0.1, 2.0], 0)])
def test_maximum_pooling_lies_between_where_the_scale_keeps_the_order(
    scale: list[float], folded_norms: int
) -> None:
    norm = BatchNorm(3)
    norm.weight.data = torch.tensor(scale)
    norm.running_mean.fill_(0.3)
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.MaxPool2d(2), norm).eval()
    folded = fold_batch_norms(model)
    assert sum(isinstance(module, BatchNorm) for module in folded.modules()) == 1 - folded_norms
    images = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(folded(images), model(images))


class _Shared(nn.Module):
    """A convolution with its batch norm, called twice, and one whose output is also used without its norm."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = nn.Sequential(nn.Conv2d(3, 3, 1), BatchNorm(3))
        self.conv = nn.Conv2d(3, 3, 1)
        self.norm = BatchNorm(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(self.twice(self.twice(x)))
        result: Tensor = self.norm(y) + y
        return result


def test_what_is_used_twice_is_left_alone() -> None:
    model = _moved_statistics(_Shared())
    folded = fold_batch_norms(model)
    assert sum(isinstance(module, BatchNorm) for module in folded.modules()) == 2
    images = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(folded(images), model(images))


def test_the_given_network_is_not_changed() -> None:
    model = create_model("lenet", 10)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fold_batch_norms(model)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


class _Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_a_network_that_cannot_be_traced_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be traced"):
        fold_batch_norms(_Branching())
