import pytest
import torch
from torch import nn

from models import create_model
from training.loop.ema import Ema


def test_the_average_follows_the_stated_decay() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, 0.0)
    ema = Ema(model, decay=0.5)
    expected = 0.0
    for step in range(1, 6):
        nn.init.constant_(model.weight, float(step))
        ema.update(model)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert ema.model.state_dict()["weight"].item() == pytest.approx(expected)


def test_running_statistics_are_averaged_and_counts_copied() -> None:
    model = create_model("lenet", 3)
    ema = Ema(model, decay=0.9)
    model.train()
    for _ in range(4):
        model(torch.randn(8, 3, 20, 20) + 5)
        ema.update(model)
    values, averages = model.state_dict(), ema.model.state_dict()
    assert averages["features.1.num_batches_tracked"] == values["features.1.num_batches_tracked"] == 4
    assert not torch.equal(averages["features.1.running_mean"], values["features.1.running_mean"])
    assert averages["features.1.running_mean"].abs().sum() > 0


def test_the_average_is_an_eval_copy_that_leaves_the_model_alone() -> None:
    model = create_model("lenet", 3).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    ema = Ema(model, decay=0.9)
    ema.update(model)
    assert model.training
    assert not ema.model.training
    assert not any(parameter.requires_grad for parameter in ema.model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
