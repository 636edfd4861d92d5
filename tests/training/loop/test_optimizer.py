import pytest
import torch
from torch import nn, optim

from models import create_model
from tests.support.tiny_run import RECIPE
from training.loop.optimizer import create_optimizer, learning_rate, parameter_groups, set_learning_rate
from training.loop.sync_batch_norm import synchronise
from training.recipes.recipe import Restart, Stage


def test_batch_norm_and_biases_are_not_decayed() -> None:
    model = create_model("resnet18-3x3", 10)
    decayed, plain = parameter_groups(model, RECIPE)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed_names = {names[id(p)] for p in decayed["params"]}  # type: ignore[attr-defined]
    plain_names = {names[id(p)] for p in plain["params"]}  # type: ignore[attr-defined]
    assert decayed["weight_decay"] == 5e-4
    assert plain["weight_decay"] == 0
    assert "stem.0.weight" in decayed_names
    assert "classifier.weight" in decayed_names
    assert "classifier.bias" in plain_names
    assert {"stem.1.weight", "stem.1.bias", "stages.3.1.bn2.weight"} <= plain_names
    assert decayed_names | plain_names == set(names.values())
    assert not decayed_names & plain_names


def test_frozen_parameters_are_left_out() -> None:
    model = create_model("lenet", 3)
    model.requires_grad_(requires_grad=False)
    assert [group["params"] for group in parameter_groups(model, RECIPE)] == [[], []]


def test_batch_norm_may_learn_faster_and_shrinks_by_as_much_a_step_as_the_weights() -> None:
    model = create_model("airbench94", 10)
    recipe = RECIPE.changed(weight_decay=1e-3, batch_norm_rate_scale=64.0, decay_batch_norm=True)
    optimizer = create_optimizer(model, recipe)
    set_learning_rate(optimizer, 0.5)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    weights, biases, norms = optimizer.param_groups
    assert {names[id(p)] for p in biases["params"]} == {"stem.0.bias"}
    assert {names[id(p)] for p in norms["params"]} == {
        f"groups.{g}.bn{n}.bias" for g in range(3) for n in (1, 2)
    }
    assert (weights["lr"], biases["lr"], norms["lr"]) == (0.5, 0.5, 32.0)
    assert weights["lr"] * weights["weight_decay"] == norms["lr"] * norms["weight_decay"] == 5e-4
    assert biases["weight_decay"] == 0
    assert (
        create_optimizer(model, recipe.changed(decay_batch_norm=False)).param_groups[2]["weight_decay"] == 0
    )


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_batch_norms_over_several_processes_are_treated_as_batch_norms(device: str) -> None:
    model = synchronise(create_model("lenet", 3, norm_layer=nn.BatchNorm2d), torch.device(device))
    groups = parameter_groups(model, RECIPE.changed(weight_decay=1e-3, decay_batch_norm=True))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert {names[id(p)] for p in groups[2]["params"]} == {  # type: ignore[attr-defined]
        f"{norm}.{part}"
        for norm in ("features.1", "features.5", "classifier.1", "classifier.4")
        for part in ("weight", "bias")
    }


def test_a_state_of_two_groups_without_scale_still_loads() -> None:
    model = create_model("lenet", 3)
    optimizer = create_optimizer(model, RECIPE)
    optimizer.load_state_dict(optimizer.state_dict())
    set_learning_rate(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]


def test_the_optimiser_is_the_recipes() -> None:
    model = create_model("lenet", 3)
    sgd = create_optimizer(model, RECIPE)
    assert isinstance(sgd, optim.SGD)
    assert sgd.defaults["nesterov"]
    assert sgd.defaults["momentum"] == RECIPE.momentum
    assert isinstance(create_optimizer(model, RECIPE.changed(optimizer="adam")), optim.Adam)
    assert not create_optimizer(model, RECIPE.changed(momentum=0.0)).defaults["nesterov"]


def test_linear_schedule_rises_over_the_warmup_and_falls_to_nothing() -> None:
    recipe = RECIPE.changed(
        stages=(Stage(epochs=4, image_size=8),), learning_rate=0.4, schedule="linear", warmup=0.25
    )
    rates = torch.tensor([learning_rate(recipe, step, 25) for step in range(100)])
    assert rates.argmax() in (24, 25)
    assert rates.max() == pytest.approx(0.4, rel=0.03)
    assert (rates[:25].diff() > 0).all()
    assert (rates[25:].diff() < 0).all()
    assert 0 < rates[-1] < 0.4 / 70
    assert 0 < rates[0] < 0.4 / 20


def test_constant_schedule_stays_after_its_warmup() -> None:
    recipe = RECIPE.changed(
        stages=(Stage(epochs=2, image_size=8),), learning_rate=0.4, schedule="constant", warmup=0.0
    )
    assert {learning_rate(recipe, step, 5) for step in range(10)} == {0.4}
    warmed = recipe.changed(warmup=0.5)
    assert learning_rate(warmed, 0, 5) < learning_rate(warmed, 4, 5) < learning_rate(warmed, 5, 5) == 0.4


def test_a_restart_begins_the_schedule_anew_and_leaves_what_came_before_as_it_was() -> None:
    once = RECIPE.changed(
        stages=(Stage(epochs=4, image_size=8),), learning_rate=0.4, schedule="linear", warmup=0.25
    )
    again = once.changed(
        stages=(Stage(epochs=10, image_size=8),), restarts=(Restart(epoch=4, learning_rate=0.1),)
    )
    rates = torch.tensor([learning_rate(again, step, 10) for step in range(100)], dtype=torch.float64)
    assert rates[:40].tolist() == [learning_rate(once, step, 10) for step in range(40)]
    assert (rates[40:55].diff() > 0).all()
    assert (rates[55:].diff() < 0).all()
    assert rates[40:].max() == pytest.approx(0.1, rel=0.04)
    assert 0 < rates[-1] < 0.1 / 40
