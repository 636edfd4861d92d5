"""The registry: whatever is in it builds, trains, and keeps its images apart."""

import pytest
import torch
from torch import nn

from models import ARCHITECTURES, create_model
from models.architectures.residual import NormLayer
from models.batch_norm.layer import BatchNorm
from models.batch_norm.report import batch_norm_report

every_architecture = pytest.mark.parametrize("name", ARCHITECTURES)


@every_architecture
@pytest.mark.parametrize("in_channels", [1, 3])
@pytest.mark.parametrize("norm_layer", [BatchNorm, nn.BatchNorm2d])
def test_an_image_gives_one_logit_a_class(name: str, in_channels: int, norm_layer: NormLayer) -> None:
    with torch.device("meta"):
        model = create_model(name, 7, in_channels, norm_layer)
        assert model(torch.empty(2, in_channels, 32, 32)).shape == (2, 7)


@every_architecture
def test_both_batch_norms_have_the_same_state_dict(name: str) -> None:
    with torch.device("meta"):
        ours, theirs = create_model(name, 10), create_model(name, 10, norm_layer=nn.BatchNorm2d)
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (ours, theirs)]
    assert shapes[0] == shapes[1]
    assert any(isinstance(module, BatchNorm) for module in ours.modules())
    assert not any(isinstance(module, BatchNorm) for module in theirs.modules())


@every_architecture
def test_a_step_of_training_lowers_the_loss_and_updates_every_batch_norm(name: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = create_model(name, 4)
        images, labels = torch.randn(4, 3, 16, 16), torch.arange(4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(2):
        loss = nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert {layer.updates_seen for layer in batch_norm_report(model)} == {2}


@every_architecture
def test_in_eval_mode_neighbours_in_a_batch_do_not_matter(name: str) -> None:
    model = create_model(name, 10).eval()
    batch = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        together = model(batch)
        others_replaced = model(torch.cat([batch[:1], -3 * batch[1:]]))
        alone = model(batch[:1])
    # Between batches of one size not a bit differs; another size may take another convolution kernel.
    assert torch.equal(others_replaced[0], together[0])
    torch.testing.assert_close(alone[0], together[0], rtol=1e-4, atol=1e-4)


def test_what_cannot_be_built_is_refused_by_name() -> None:
    with pytest.raises(
        ValueError, match="unknown architecture 'vgg': choose from lenet, resnet18, resnet18-3x3, "
    ):
        create_model("vgg", 10)
    with pytest.raises(ValueError, match="num_classes must be at least 1, got 0"):
        create_model("lenet", 0)
    with pytest.raises(ValueError, match="in_channels must be at least 1, got 0"):
        create_model("lenet", 10, in_channels=0)
