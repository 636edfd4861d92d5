"""The tiny run, killed again and again and resumed until it is done, as a program of its own.

    python -m tests.support.killed_run OUT --kills 20 --seed 0

Before, the same run goes from beginning to end into OUT/whole; the killed one is in OUT/killed.

Each session is a process forked from this one, in which all modules are loaded already but have not computed.
It kills itself, as the kernel would, at a call of a Python or C function that is drawn at random: within a
step, while the checkpoint is half written, between the checkpoint and the log. Counted in calls, the schedule
is the same on every machine, however slow. Prints at how many epochs each kill found the last checkpoint.
"""

import argparse
import io
import os
import random
import signal
import sys
from pathlib import Path

import torch
import torch._dynamo  # what an optimiser imports at its first step, by millions of calls
from rich.console import Console

from tests.support.tiny_run import RECIPE, tiny_data
from training.loop.checkpoint import FILE_NAME, load_checkpoint
from training.loop.progress import Progress
from training.loop.train import train

KILLED = RECIPE.with_epochs(16)
MOST_CALLS = 150_000
"""An epoch takes about 42,000 calls, so that a session gets from nowhere at all to three epochs further."""


def kill_after(calls: int) -> None:
    """From now on count the calls of all functions, and die at the one of that number."""

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        if event in ("call", "c_call"):
            calls -= 1
            if calls == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)


def session(out: Path, calls: int | None) -> int:
    """Begin the run or go on with it in a child; die after so many calls. Returns the signal, 0 for none."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        if calls is not None:
            kill_after(calls)
        progress = Progress(Console(file=io.StringIO()))
        train(KILLED, tiny_data(), out, resume=(out / FILE_NAME).is_file(), progress=progress)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"a session failed with status {status}"
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def epochs_done(out: Path) -> int:
    return load_checkpoint(out).epoch if (out / FILE_NAME).is_file() else 0


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    assert session(arguments.out / "whole", None) == 0
    killed, chance = arguments.out / "killed", random.Random(arguments.seed)
    for _ in range(arguments.kills):
        ended_by = session(killed, chance.randrange(1, MOST_CALLS))
        assert ended_by == signal.SIGKILL, "a session ended before it was killed"
        print(epochs_done(killed), flush=True)
    assert session(killed, None) == 0


if __name__ == "__main__":
    main()
