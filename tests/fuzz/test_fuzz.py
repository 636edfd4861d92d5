"""A short run of every target; `make fuzz` is the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

RUNS = 2000


@pytest.mark.parametrize("name", TARGETS)
def test_every_seed_raises_no_more_than_it_may(name: str) -> None:
    target = TARGETS[name]
    for seed in target.seeds():
        target.run(seed)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_input_raises_no_more_than_it_may(name: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris")
    options = [f"-runs={RUNS}", "-seed=1", "-timeout=60", f"-artifact_prefix={tmp_path}/"]
    # By a shell that stays: libFuzzer bounds the peak of its memory, which on Linux a process inherits from
    # the one that starts it, and this one may have trained networks.
    shell = ["sh", "-c", '"$@"; exit $?', "sh"]
    command = [*shell, sys.executable, "-m", "tests.fuzz", name, *options]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert run.returncode == 0, run.stderr[-4000:]
    assert "Done" in run.stderr
