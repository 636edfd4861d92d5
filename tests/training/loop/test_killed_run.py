"""A run that is killed twenty times at random and resumed each time ends as one that nobody touched."""

import subprocess
from pathlib import Path

import pytest
import torch

from tests.support.killed_run import KILLED
from tests.support.tiny_run import STEPS_PER_EPOCH
from training.loop.checkpoint import load_checkpoint
from training.loop.event_log import logged_steps
from training.loop.progress import LOGGED

KILLS = 20


@pytest.mark.timeout(1800)
def test_a_run_killed_twenty_times_ends_as_an_uninterrupted_one(python: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-m", "tests.support.killed_run", str(tmp_path), "--kills", str(KILLS), "--seed", "0"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    reached = [int(line) for line in done.stdout.split()]
    assert len(reached) == KILLS
    assert len(set(reached)) > 2, "the kills must fall into several epochs"
    assert reached[-1] < KILLED.epochs

    whole, killed = (load_checkpoint(tmp_path / name) for name in ("whole", "killed"))
    for ours, theirs in ((killed.model, whole.model), (killed.ema, whole.ema)):
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert torch.equal(value, theirs[name]), name
    for first, second in zip(killed.history, whole.history, strict=True):
        assert first.train_loss == second.train_loss
        assert (first.watched_loss, first.watched_accuracy) == (second.watched_loss, second.watched_accuracy)
    logged = logged_steps(tmp_path / "killed" / "tensorboard")
    every_epoch = {epoch * STEPS_PER_EPOCH for epoch in range(1, KILLED.epochs + 1)}
    assert {name: logged[name] for name in LOGGED} == dict.fromkeys(LOGGED, every_epoch)
    # A kill in mid-write leaves half a checkpoint behind, which the next one takes the place of.
    assert {path.name for path in (tmp_path / "killed").iterdir()} == {"checkpoint.pt", "tensorboard"}
