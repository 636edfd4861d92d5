import io
import math
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import nn
from torch.nn import functional as F

from models import create_model
from tests.support.tiny_run import RECIPE, STEPS_PER_EPOCH, tiny_data
from training.loop.batches import Batches
from training.loop.build_model import build_model
from training.loop.checkpoint import CheckpointError, RunState, load_checkpoint
from training.loop.optimizer import learning_rate, set_learning_rate
from training.loop.progress import Progress
from training.loop.train import Interrupted, TrainingError, train
from training.recipes.recipe import Stage

STEPS = RECIPE.epochs * STEPS_PER_EPOCH


def stop_at(step: int) -> Callable[[], bool]:
    steps = count(1)
    return lambda: next(steps) == step


def require_same_weights(first: RunState, second: RunState) -> None:
    assert first.model.keys() == second.model.keys()
    for name, value in first.result.items():
        assert torch.equal(value, second.result[name]), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunState:
    return train(RECIPE, tiny_data(), tmp_path_factory.mktemp("whole"))


def test_learns(whole: RunState) -> None:
    assert [record.epoch for record in whole.history] == [1, 2, 3]
    assert [record.image_size for record in whole.history] == [16, 20, 20]
    assert whole.history[-1].watched_accuracy > 0.6
    assert whole.seconds > 0


def test_the_result_is_the_average_and_not_the_last_weights(whole: RunState) -> None:
    assert whole.ema_updates == STEPS
    assert any(not torch.equal(whole.ema[name], whole.model[name]) for name in whole.model)
    assert whole.result is whole.ema


def test_same_seed_gives_the_same_weights_and_another_does_not(whole: RunState, tmp_path: Path) -> None:
    require_same_weights(train(RECIPE, tiny_data(), tmp_path / "again"), whole)
    other = train(RECIPE, tiny_data(), tmp_path / "other", seed=1)
    assert not torch.equal(other.model["features.0.weight"], whole.model["features.0.weight"])


@pytest.mark.parametrize("step", [1, STEPS_PER_EPOCH - 1, STEPS_PER_EPOCH + 2, STEPS - 1])
def test_a_stopped_run_goes_on_to_the_same_weights(whole: RunState, tmp_path: Path, step: int) -> None:
    with pytest.raises(Interrupted):
        train(RECIPE, tiny_data(), tmp_path, stopping=stop_at(step))
    assert load_checkpoint(tmp_path).step == step % STEPS_PER_EPOCH
    resumed = train(RECIPE, tiny_data(), tmp_path, resume=True)
    require_same_weights(resumed, whole)
    for ours, theirs in zip(resumed.history, whole.history, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss)
        assert ours.watched_accuracy == theirs.watched_accuracy


@pytest.mark.parametrize("batch_size", [RECIPE.batch_size, 48])
def test_a_stop_at_the_last_step_of_an_epoch_comes_after_it(tmp_path: Path, batch_size: int) -> None:
    """Of few images, an epoch is a single step."""
    recipe = RECIPE.changed(batch_size=batch_size)
    with pytest.raises(Interrupted):
        train(recipe, tiny_data(), tmp_path, stopping=stop_at(48 // batch_size))
    stopped = load_checkpoint(tmp_path)
    assert (stopped.epoch, stopped.step, len(stopped.history)) == (1, 0, 1)


def test_a_run_killed_in_mid_epoch_goes_on_to_the_same_weights(whole: RunState, tmp_path: Path) -> None:
    program = [sys.executable, "-m", "tests.support.tiny_run", str(tmp_path)]
    killed = subprocess.run([*program, "--kill-at", str(STEPS_PER_EPOCH + 3)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert load_checkpoint(tmp_path).epoch == 1
    require_same_weights(train(RECIPE, tiny_data(), tmp_path, resume=True), whole)
    require_same_weights(load_checkpoint(tmp_path), whole)


def test_resuming_a_finished_run_changes_nothing_and_says_so(whole: RunState, tmp_path: Path) -> None:
    train(RECIPE, tiny_data(), tmp_path)
    shown = io.StringIO()
    progress = Progress(Console(file=shown, width=200))
    require_same_weights(train(RECIPE, tiny_data(), tmp_path, resume=True, progress=progress), whole)
    assert shown.getvalue() == (
        f"the run in {tmp_path} is finished, all its 3 epochs are done: a larger number of --epochs gives it "
        "more\n"
    )


def test_a_finished_run_that_is_given_more_epochs_goes_on_by_the_longer_schedule(tmp_path: Path) -> None:
    longer = RECIPE.with_epochs(5)
    train(RECIPE, tiny_data(), tmp_path)
    with pytest.raises(Interrupted):
        train(longer, tiny_data(), tmp_path, resume=True, stopping=stop_at(STEPS_PER_EPOCH + 1))
    state = train(longer, tiny_data(), tmp_path, resume=True)
    assert [record.epoch for record in state.history] == [1, 2, 3, 4, 5]
    last_step = 5 * STEPS_PER_EPOCH - 1
    assert state.history[-1].learning_rate == learning_rate(longer, last_step, STEPS_PER_EPOCH)
    assert state.extended_after == [3]
    assert state.recipe == longer


def test_zero_init_is_refused_where_there_is_no_residual_block(tmp_path: Path) -> None:
    for architecture in ("lenet", "airbench94"):
        recipe = RECIPE.changed(architecture=architecture, zero_init_residual=True)
        with pytest.raises(ValueError, match=f"zero_init_residual must be False, for {architecture} has no"):
            train(recipe, tiny_data(), tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    diverging = RECIPE.changed(learning_rate=1e30, warmup=0.4)
    with pytest.raises(TrainingError, match=r"no longer finite in epoch \d, step \d.*learning rate.*kept"):
        train(diverging, tiny_data(), tmp_path / "diverging")

    train(RECIPE.with_epochs(1), tiny_data(), tmp_path)
    with pytest.raises(CheckpointError, match=r"began with learning_rate=0\.1, not 1e\+30"):
        train(diverging, tiny_data(), tmp_path, resume=True)
    assert load_checkpoint(tmp_path).epoch == 1
    assert all(torch.isfinite(value).all() for value in load_checkpoint(tmp_path).model.values())


def test_weights_that_the_last_step_of_an_epoch_destroys_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def destroy(optimizer: torch.optim.Optimizer, rate: float) -> None:
        set_learning_rate(optimizer, math.inf if rate == last else rate)

    last = learning_rate(RECIPE, 2 * STEPS_PER_EPOCH - 1, STEPS_PER_EPOCH)
    monkeypatch.setattr("training.loop.train.set_learning_rate", destroy)
    with pytest.raises(
        TrainingError, match=r"weights are no longer finite after epoch 2: .*learning rate.*kept"
    ):
        train(RECIPE, tiny_data(), tmp_path)
    assert load_checkpoint(tmp_path).epoch == 1


def test_refuses_to_resume_another_run(tmp_path: Path) -> None:
    """An absent checkpoint, another recipe, seed or data set: each is its own sentence."""
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*: start the run without --resume"):
        train(RECIPE, tiny_data(), tmp_path, resume=True)
    train(RECIPE, tiny_data(), tmp_path)
    with pytest.raises(CheckpointError, match=r"began with label_smoothing=0\.1, not 0\.2"):
        train(RECIPE.changed(label_smoothing=0.2), tiny_data(), tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="began with seed=0, not 3"):
        train(RECIPE, tiny_data(), tmp_path, seed=3, resume=True)
    with pytest.raises(CheckpointError, match="another data set"):
        train(RECIPE, replace(tiny_data(), sha256="other"), tmp_path, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "adam", "learning_rate": 1e-3},
        {"gradient_clip": 0.1},
        {"ema_decay": None},
        {"precision": "bfloat16"},
        {"norm_layer": "torch"},
        {"schedule": "constant", "warmup": 0.0},
        {"held_out": 0},
        {"mixup_alpha": 0.2, "cutmix_alpha": 1.0},
        {"lookahead": 2, "batch_norm_rate_scale": 8.0, "decay_batch_norm": True},
        {"architecture": "airbench94", "initialization": "dirac", "whiten_stem": True},
    ],
)
def test_every_choice_of_a_recipe_runs(tmp_path: Path, change: dict[str, object]) -> None:
    recipe = RECIPE.with_epochs(1).changed(**change)
    state = train(recipe, tiny_data(), tmp_path)
    assert math.isfinite(state.history[-1].train_loss)


def test_a_run_with_lookahead_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    recipe = RECIPE.with_epochs(2).changed(lookahead=4, ema_decay=None, mixup_alpha=0.5)
    whole = train(recipe, tiny_data(), tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(recipe, tiny_data(), tmp_path / "stopped", stopping=stop_at(7))
    require_same_weights(train(recipe, tiny_data(), tmp_path / "stopped", resume=True), whole)
    without = train(recipe.changed(lookahead=None), tiny_data(), tmp_path / "without")
    assert not torch.equal(without.model["features.0.weight"], whole.model["features.0.weight"])


def test_the_finished_average_gets_statistics_of_its_own(whole: RunState, tmp_path: Path) -> None:
    """The weights are those of a run without; the statistics are of batches after the last epoch."""
    recipe = RECIPE.changed(reestimate_batch_norm=3)
    state = train(recipe, tiny_data(), tmp_path)
    for name, value in state.result.items():
        if "running" not in name and "tracked" not in name:
            assert torch.equal(value, whole.result[name]), name
    assert state.result["features.1.num_batches_tracked"] == 3

    model = create_model(RECIPE.architecture, 3)
    model.load_state_dict(whole.result)
    batches = Batches(recipe, tiny_data(), seed=0)
    order = batches.order(RECIPE.epochs)
    images = [batches.batch(RECIPE.epochs, step, order)[0] for step in range(3)]
    assert images[0].shape[2:] == (20, 20)
    means = [F.conv2d(x, model.features[0].weight, model.features[0].bias).mean((0, 2, 3)) for x in images]  # type: ignore[index,union-attr]
    torch.testing.assert_close(state.result["features.1.running_mean"], torch.stack(means).mean(0))


def test_the_network_is_compiled_as_the_recipe_says(
    whole: RunState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    def compile_nothing(model: nn.Module, *, mode: str) -> nn.Module:
        asked.append((type(model).__name__, mode))
        return model

    monkeypatch.setattr(torch, "compile", compile_nothing)
    recipe = RECIPE.changed(compile=True, compile_mode="reduce-overhead")
    require_same_weights(train(recipe, tiny_data(), tmp_path), whole)
    assert asked == [("LeNet", "reduce-overhead")]


def test_whitening_and_zero_init_shape_the_first_weights() -> None:
    recipe = RECIPE.changed(architecture="resnet18-3x3", whiten_stem=True, zero_init_residual=True)
    model = build_model(recipe, tiny_data(), seed=0)
    state = model.state_dict()
    assert not next(p for n, p in model.named_parameters() if n == "stem.0.weight").requires_grad
    assert state["stages.0.0.bn2.weight"].abs().max() == 0
    assert state["stages.0.0.bn1.weight"].min() == 1


def test_batches_hold_every_image_once_an_epoch_in_an_order_of_the_epochs_own() -> None:
    batches = Batches(RECIPE, tiny_data(), seed=0)
    first, second = batches.order(0), batches.order(1)
    assert sorted(first.tolist()) == list(range(48))
    assert not torch.equal(first, second)
    assert torch.equal(first, Batches(RECIPE, tiny_data(), seed=0).order(0))


def test_alternating_flip_shows_each_image_both_ways_in_two_epochs() -> None:
    recipe = RECIPE.changed(
        stages=(Stage(epochs=2, image_size=20),),
        augmentation=replace(RECIPE.augmentation, operations=()),
        batch_size=48,
    )
    batches = Batches(recipe, tiny_data(), seed=0)
    in_order = torch.arange(48)
    images = [batches.batch(epoch, 0, in_order)[0] for epoch in (0, 1)]
    assert torch.equal(images[0], images[1].flip(3))
    unflipped = batches.preprocessing.normalize(tiny_data().train.images)
    share = (images[0] == unflipped).flatten(1).all(1).float().mean().item()
    assert 0.2 < share < 0.8


def test_more_images_a_batch_than_there_are_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch_size must be at most the 48 training images, got 64"):
        train(RECIPE.changed(batch_size=64), tiny_data(), tmp_path)
