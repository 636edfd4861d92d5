"""A campaign of tiny runs: stopped, gone on with, and summed up."""

import io
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from rich.console import Console

from models.artifact.report import EpochRecord
from tests.support.tiny_run import RECIPE, STEPS_PER_EPOCH, tiny_data
from training.campaign import (
    RESULT,
    RUNS,
    Result,
    measure,
    parse_runs,
    run_campaign,
    share_of_peak,
    summary,
)
from training.data.cifar10 import ImageData
from training.loop.checkpoint import CheckpointError, load_checkpoint
from training.recipes import RECIPES

SHORT = {"tiny": RECIPE.with_epochs(2), "other": RECIPE.with_epochs(1).changed(name="other", held_out=0)}
QUIET = Console(file=io.StringIO())


def load(held_out: int) -> ImageData:
    assert held_out in (RECIPE.held_out, 0)
    return tiny_data()


def stop_at(step: int) -> Callable[[], bool]:
    steps = count(1)
    return lambda: next(steps) >= step


def test_a_campaign_goes_on_where_it_was_stopped_and_sums_up(tmp_path: Path) -> None:
    runs = {"tiny": 2, "other": 1}
    stopped = run_campaign(
        runs, SHORT, load, tmp_path, minutes=60, console=QUIET, stopping=stop_at(2 * STEPS_PER_EPOCH + 5)
    )
    assert stopped["left"] == 2
    assert not (tmp_path / "tiny-seed1" / RESULT).exists()
    assert load_checkpoint(tmp_path / "tiny-seed1").step > 0

    done = run_campaign(runs, SHORT, load, tmp_path, minutes=60, console=QUIET)
    assert done["left"] == 0
    figures = json.loads(json.dumps(done))["campaign"]
    assert [figures[name]["n"] for name in runs] == [2, 1]
    for name, seeds in runs.items():
        accuracies = figures[name]["accuracies"]
        for seed in range(seeds):
            state = load_checkpoint(tmp_path / f"{name}-seed{seed}")
            assert state.seed == seed
            assert accuracies[seed] == measure(SHORT[name], state, tiny_data()).accuracy
    assert figures["tiny"]["accuracies"][0] > 0.4

    before = (tmp_path / "tiny-seed0" / "checkpoint.pt").read_bytes()
    assert run_campaign(runs, SHORT, load, tmp_path, minutes=60, console=QUIET) == done
    assert (tmp_path / "tiny-seed0" / "checkpoint.pt").read_bytes() == before

    others = {"tiny": SHORT["tiny"].changed(learning_rate=0.2)}
    with pytest.raises(CheckpointError, match=r"tiny-seed0/result\.json is of another recipe: choose"):
        run_campaign({"tiny": 1}, others, load, tmp_path, minutes=60, console=QUIET)


def test_time_ends_a_campaign(tmp_path: Path) -> None:
    figures = run_campaign({"tiny": 3}, SHORT, load, tmp_path, minutes=0, console=QUIET)
    assert figures["left"] == 3
    assert figures["campaign"] == {"tiny": {"n": 0}}


def test_mean_and_deviation_are_those_of_a_sample() -> None:
    results = [Result(0.94, 10.0, 100.0), Result(0.96, 12.0, 200.0), Result(0.95, 14.0, 300.0)]
    figures = summary(RECIPE, results, "some processor")
    assert figures["accuracy_mean"] == 0.95
    assert figures["accuracy_std"] == 0.01
    assert (figures["n"], figures["seconds_mean"], figures["images_per_second"]) == (3, 12.0, 200.0)
    assert figures["share_of_bf16_peak"] is None
    assert summary(RECIPE, results[:1], "some processor")["accuracy_std"] is None


def test_the_share_of_the_peak_is_counted_from_the_networks_multiply_adds() -> None:
    """ResNet-18 at 32 px has 555,422,720 multiply-adds; an H100 does 989 × 10¹² operations a second."""
    recipe = RECIPES["resnet18-cifar10-gpu"]
    share = share_of_peak(recipe, 20_000, "NVIDIA H100 80GB HBM3")
    assert share is not None
    assert share == pytest.approx(20_000 * 6 * 555_422_720 / 989e12, abs=1e-4)
    assert share_of_peak(recipe, 20_000, "NVIDIA H100 PCIe") == pytest.approx(share * 989 / 756, abs=1e-4)
    assert share_of_peak(recipe, 20_000, "NVIDIA A100-SXM4-80GB") is not None
    assert share_of_peak(recipe, 20_000, "NVIDIA L40") is None  # which is neither an L4 nor an L40S


def test_the_rate_leaves_out_smaller_images_and_the_epoch_that_compiles(tmp_path: Path) -> None:
    run_campaign({"tiny": 1}, SHORT, load, tmp_path, minutes=60, console=QUIET)
    state = load_checkpoint(tmp_path / "tiny-seed0")
    pixels = SHORT["tiny"].stages[-1].image_size
    rates = [(1, pixels, 1.0), (2, pixels - 1, 2.0), (3, pixels, 30.0), (4, pixels, 50.0)]
    state.history = [
        EpochRecord(epoch, size, 0.1, 1.0, 0.5, 1.0, 0.5, rate, 1.0) for epoch, size, rate in rates
    ]
    assert measure(SHORT["tiny"], state, tiny_data()).images_per_second == 40.0
    state.history = state.history[:1]
    assert measure(SHORT["tiny"], state, tiny_data()).images_per_second == 1.0


def test_runs_are_recipes_with_numbers_of_seeds() -> None:
    assert parse_runs([f"{name}={seeds}" for name, seeds in RUNS.items()], RECIPES) == RUNS
    for text in ("slow=5", "fast", "fast=0", "fast=-1", "fast=x"):
        with pytest.raises(ValueError, match=f"runs must be RECIPE=SEEDS such as fast=5.*got {text}"):
            parse_runs([text], RECIPES)
