"""The PyTorch engine: eval mode, no gradients, the network's own logits."""

import pytest
import torch

from app.engines import Engine
from app.engines.torch import TorchEngine
from models import create_model
from tests.api.artifacts import small_model

IMAGES = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_logits_are_the_networks_own() -> None:
    engine: Engine = TorchEngine(small_model(), "cpu")
    with torch.no_grad():
        expected = small_model()(IMAGES)
    logits = engine.predict(IMAGES)
    assert (logits.dtype, logits.device.type, logits.requires_grad) == (torch.float32, "cpu", False)
    assert torch.allclose(logits, expected, atol=1e-5)


def test_a_network_in_training_mode_is_put_in_eval_mode() -> None:
    model = small_model().train()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    TorchEngine(model, "cpu").predict(IMAGES)
    assert not model.training
    assert all(torch.equal(buffer, before[name]) for name, buffer in model.named_buffers())


@pytest.mark.parametrize("architecture", ["lenet", "resnet18-3x3"])
def test_an_images_logits_do_not_depend_on_its_batch(architecture: str) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        engine = TorchEngine(create_model(architecture, 10), "cpu")
    together = engine.predict(IMAGES)
    for index in range(len(IMAGES)):
        alone = engine.predict(IMAGES[index : index + 1])[0]
        assert torch.allclose(together[index], alone, rtol=1e-5, atol=1e-5)


def test_device_is_a_gpu_exactly_where_there_is_one() -> None:
    assert TorchEngine(small_model(), "auto").device == ("cuda" if torch.cuda.is_available() else "cpu")
