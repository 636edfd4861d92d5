import pytest
import torch
from torch import nn

from models import create_model
from training.loop.lookahead import KEPT_AT_THE_END, Lookahead


def test_the_weights_go_back_to_the_slow_ones_as_stated() -> None:
    """By hand: seven steps of +1, a meeting after each three, and one at the end."""
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.zeros_(model.weight)
    lookahead = Lookahead(model, every=3, total=7)
    slow = fast = 0.0
    for done in range(1, 8):
        model.weight.data += 1
        fast += 1
        lookahead.after_step(model, done)
        if done in (3, 6):
            kept = KEPT_AT_THE_END * (done / 7) ** 3
            fast = slow = kept * slow + (1 - kept) * fast
        if done == 7:
            fast = slow
        assert model.weight.item() == pytest.approx(fast)
        assert lookahead.slow["weight"].item() == pytest.approx(slow)


def test_running_statistics_are_synchronised_too_and_counts_stay() -> None:
    model = create_model("lenet", 3)
    lookahead = Lookahead(model, every=2, total=2)
    for done in (1, 2):
        model(torch.randn(8, 3, 20, 20) + 5)
        lookahead.after_step(model, done)
    state = model.state_dict()
    assert state["features.1.num_batches_tracked"] == 2
    assert "features.1.num_batches_tracked" not in lookahead.slow
    assert torch.equal(state["features.1.running_mean"], lookahead.slow["features.1.running_mean"])
    assert lookahead.slow["features.1.running_mean"].abs().sum() > 0


def test_what_was_saved_is_what_goes_on() -> None:
    model = nn.Linear(2, 2)
    saved = {name: value + 1 for name, value in Lookahead(model, 2, 4).slow.items()}
    lookahead = Lookahead(model, 2, 4)
    lookahead.load(saved)
    assert all(torch.equal(lookahead.slow[name], value) for name, value in saved.items())
