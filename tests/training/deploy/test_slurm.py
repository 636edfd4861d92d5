"""The batch script for Slurm, on a real cluster of two nodes."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.documents.documents import ROOT
from tests.support.slurm import NODES, slurm
from training.loop.checkpoint import FILE_NAME, load_checkpoint

SCRIPT = ROOT / "training" / "deploy" / "slurm.sbatch"
EPOCHS = 30
PATIENCE_SECONDS = 240


def wait_until(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.3)


def test_a_job_trains_on_two_nodes_and_goes_on_when_it_is_queued_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, log = tmp_path / "run", tmp_path / "log"
    monkeypatch.chdir(ROOT)
    with slurm(tmp_path / "slurm") as cluster:
        number = cluster.run(
            *("sbatch", "--parsable", "--gpus-per-node=1", f"--output={log}", str(SCRIPT)),
            *("--recipe", "lenet", "--device", "cpu", "--data", str(photos), "--out", str(out)),
            *("--epochs", str(EPOCHS), "--sync-batch-norm"),
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            OMP_NUM_THREADS="1",
        ).strip()
        wait_until(lambda: (out / FILE_NAME).is_file() and load_checkpoint(out).epoch >= 2, log)
        cluster.run("scontrol", "requeue", number)
        wait_until(lambda: cluster.job(number)["JobState"] == "PENDING", log)
        stopped = load_checkpoint(out)
        # It would wait two minutes first.
        cluster.run("scontrol", "update", f"jobid={number}", "StartTime=now")
        wait_until(lambda: cluster.job(number)["JobState"] == "COMPLETED", log)
        assert cluster.job(number)["NodeList"] == ",".join(NODES)

    state = load_checkpoint(out)
    assert 2 <= stopped.epoch < EPOCHS
    assert state.history[: stopped.epoch] == stopped.history
    assert [record.epoch for record in state.history] == list(range(1, EPOCHS + 1))
    assert log.read_text().count("on cpu by 2 processes") == 2
