"""The example for Ray Train, on a local Ray cluster with two workers."""

import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex

import psutil
import pytest

from training.loop.checkpoint import FILE_NAME, load_checkpoint

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of Ray's about itself
    import ray

    from training.deploy.ray_train import main

pytestmark = pytest.mark.filterwarnings("ignore")

EPOCHS = 25


@pytest.fixture(scope="module", autouse=True)
def _cluster() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", token_hex(32))  # else Ray keeps one in the home folder
        # "local": not one that other tests have started meanwhile.
        ray.init("local", num_cpus=2, object_store_memory=10**8, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


def kill_a_worker(out: Path, killed: list[int]) -> None:
    """Kill one of the processes that train, as soon as the run has a checkpoint."""
    while not (out / FILE_NAME).is_file():
        time.sleep(0.1)
    started_here = psutil.Process().children(recursive=True)
    worker = next(each for each in started_here if "RayTrainWorker" in " ".join(each.cmdline()))
    worker.kill()
    killed.append(worker.pid)


def test_two_workers_train_together_and_one_that_is_killed_costs_no_epoch(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    killed: list[int] = []
    killer = threading.Thread(target=kill_a_worker, args=(out, killed), daemon=True)
    killer.start()
    options = ("--recipe", "lenet", "--device", "cpu", "--data", str(photos), "--out", str(out))
    main(["--processes", "2", *options, "--epochs", str(EPOCHS), "--sync-batch-norm"])
    killer.join(timeout=1)
    state = load_checkpoint(out)
    assert killed
    assert state.hardware.startswith("2 × ")
    assert [record.epoch for record in state.history] == list(range(1, EPOCHS + 1))
    assert state.history[-1].watched_accuracy == 1


def test_a_wrong_argument_is_told_before_anything_starts(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--processes", "2", "--recipe", "unknown"])
    assert "argument --recipe: invalid choice: 'unknown'" in capsys.readouterr().err
