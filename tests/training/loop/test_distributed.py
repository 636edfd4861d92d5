"""Two real processes by torchrun, on the CPU: the same result as one, and a clear end if one of them dies."""

import os
import subprocess
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from tests.support.tiny_run import RECIPE, STEPS_PER_EPOCH, SYNCHRONISED, tiny_data
from tests.support.two_processes import in_two_processes
from training.loop.build_model import build_model
from training.loop.checkpoint import RunState, load_checkpoint
from training.loop.distributed import Processes, joined
from training.loop.train import train

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m")
TOLERANCE = 1e-5
"""Of a weight: a sum over two halves of a batch rounds otherwise than one over all of it."""


CONVOLUTIONS = ("features.0.weight", "features.4.weight")


def torchrun(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python), *TORCHRUN, "tests.support.tiny_run", *arguments]
    environment = {**os.environ, "PYTHON_EXEC": str(python)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=200)


def require_close(state: RunState, expected: RunState) -> None:
    for name, value in expected.result.items():
        torch.testing.assert_close(state.result[name], value, rtol=0, atol=TOLERANCE)
    for ours, theirs in zip(state.history, expected.history, strict=True):
        assert ours.train_loss == pytest.approx(theirs.train_loss, abs=1e-5)
        assert ours.train_accuracy == pytest.approx(theirs.train_accuracy)


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> RunState:
    return train(SYNCHRONISED, tiny_data(), tmp_path_factory.mktemp("one"))


def test_a_killed_process_stops_the_other_and_the_run_resumes_and_computes_what_one_does(
    python: Path, one_process: RunState, tmp_path: Path
) -> None:
    options = (str(tmp_path), "--sync")
    killed = torchrun(python, *options, "--kill-at", str(STEPS_PER_EPOCH + 2), "--kill-rank", "1")
    assert killed.returncode != 0
    assert f"another process of this run has ended; {tmp_path} keeps the last checkpoint" in killed.stderr
    assert load_checkpoint(tmp_path).epoch == 1
    resumed = torchrun(python, *options, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    state = load_checkpoint(tmp_path)
    assert state.hardware.startswith("2 × ")
    require_close(state, one_process)
    untrained = build_model(SYNCHRONISED, tiny_data(), seed=0).state_dict()
    assert all((state.model[name] - untrained[name]).abs().max() > 100 * TOLERANCE for name in CONVOLUTIONS)


def _train_in_one_of_two(_rank: int, out: Path) -> None:
    with joined(torch.device("cpu")) as processes:
        train(RECIPE, tiny_data(), out, processes=processes)


def test_batch_norm_per_process_learns_as_well(tmp_path: Path) -> None:
    in_two_processes(_train_in_one_of_two, tmp_path / "meeting", tmp_path / "run")
    state = load_checkpoint(tmp_path / "run")
    assert state.hardware.startswith("2 × ")
    assert state.history[-1].watched_accuracy > 0.6


def test_processes_that_have_met_already_stay_together(tmp_path: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        with joined(torch.device("cpu")) as processes:
            assert processes == Processes(rank=0, count=1)
        assert dist.is_initialized()
    finally:
        dist.destroy_process_group()


def test_shares_are_disjoint_and_together_the_batch() -> None:
    batch = torch.arange(12)
    shares = [Processes(rank, 3).share(batch) for rank in range(3)]
    assert torch.equal(torch.cat(shares), batch)
    assert {len(share) for share in shares} == {4}


def test_a_batch_that_does_not_divide_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="batch_size must be a multiple of the 3 processes, got 8"):
        train(RECIPE, tiny_data(), tmp_path, processes=Processes(0, 3))
