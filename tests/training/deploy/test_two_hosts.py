"""Torchrun over two hosts: the same result as one process, and a host that comes and goes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.support.tiny_run import SYNCHRONISED, tiny_data
from tests.support.two_hosts import INTERFACE, Host, two_hosts
from tests.training.loop.test_distributed import require_close
from training.loop.checkpoint import FILE_NAME, RunState, load_checkpoint
from training.loop.event_log import logged_steps
from training.loop.train import train

EPOCHS = 40
PATIENCE_SECONDS = 200
PORT = 29400


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    with two_hosts() as both:
        yield both


@contextmanager
def torchrun(host: Host, first: Host, log: IO[str], *module: str) -> Iterator[subprocess.Popen[str]]:
    """Run the module on `host`, together with the other one if it is there within seconds."""
    command = host.on_it(
        *(sys.executable, "-m", "torch.distributed.run"),
        *("--nnodes=1:2", "--nproc-per-node=1", "--max-restarts=3", "--rdzv-backend=c10d"),
        *(f"--rdzv-endpoint={first.address}:{PORT}", f"--local-addr={host.address}"),
        # Namespaces share the machine's name, by which a host would know that the endpoint is its own.
        # The other defaults are for larger networks.
        f"--rdzv-conf=is_host={int(host is first)},keep_alive_interval=1,last_call_timeout=8",
        *("--monitor-interval=0.5", "-m", *module),
    )
    # Of the store, training/README.md says why.
    environment = {
        **os.environ,
        "GLOO_SOCKET_IFNAME": INTERFACE,
        "OMP_NUM_THREADS": "1",
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
    }
    with subprocess.Popen(command, stdout=log, stderr=log, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)


def test_two_hosts_compute_what_one_process_does(hosts: tuple[Host, Host], tmp_path: Path) -> None:
    first, second = hosts
    program = ("tests.support.tiny_run", str(tmp_path / "two"), "--sync")
    log = tmp_path / "log"
    with (
        log.open("w") as file,
        torchrun(first, first, file, *program) as one,
        torchrun(second, first, file, *program) as other,
    ):
        ended = [process.wait(PATIENCE_SECONDS) for process in (one, other)]
    assert ended == [0, 0], log.read_text()
    state = load_checkpoint(tmp_path / "two")
    assert state.hardware.startswith("2 × ")
    require_close(state, train(SYNCHRONISED, tiny_data(), tmp_path / "one"))


def test_a_run_goes_on_while_a_host_is_lost_comes_back_and_is_cut_off(
    hosts: tuple[Host, Host], photos: Path, tmp_path: Path
) -> None:
    first, second = hosts
    out, log = tmp_path / "run", tmp_path / "log"
    program = (
        *("training", "train", "--recipe", "lenet", "--data", str(photos), "--out", str(out)),
        *("--device", "cpu", "--epochs", str(EPOCHS), "--image-size", "64", "--sync-batch-norm"),
        *("--auto-resume", "--peer-timeout", "15"),
    )

    def now() -> RunState:
        return load_checkpoint(out)

    def wait_for_epoch(epoch: int) -> None:
        wait_until(lambda: (out / FILE_NAME).is_file() and now().epoch >= epoch, log)

    with log.open("w") as file, torchrun(first, first, file, *program) as kept:
        with torchrun(second, first, file, *program):
            wait_for_epoch(2)
            second.kill()
        lost_at = now().epoch
        wait_for_epoch(lost_at + 2)
        with torchrun(second, first, file, *program):
            wait_until(lambda: log.read_text().count("by 2 processes") == 2, log)
            wait_for_epoch(now().epoch + 2)
            second.unplug()
            assert kept.wait(PATIENCE_SECONDS) == 0, log.read_text()
            second.kill()

    state = now()
    assert [record.epoch for record in state.history] == list(range(1, EPOCHS + 1))
    assert state.history[-1].watched_accuracy == 1
    per_epoch = max(logged_steps(out / "tensorboard")["watched_loss"]) // EPOCHS
    assert logged_steps(out / "tensorboard")["watched_loss"] == {
        per_epoch * epoch for epoch in range(1, EPOCHS + 1)
    }
