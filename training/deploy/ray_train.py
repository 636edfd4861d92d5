"""One training over a Ray cluster, by Ray Train; all other arguments are those of `python -m training train`.

    python -m training.deploy.ray_train --processes 4 --recipe resnet18-cifar10 --device cuda

The folder that it is started in is one that all nodes share. If a process or a node is lost, all processes
begin anew from the last checkpoint, up to three times.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from training.__main__ import parser
from training.argument_types import positive
from training.cli import run_folder
from training.recipes import RECIPES


def train_in_worker(config: dict[str, Any]) -> None:
    """What Ray calls in each process, when all have met."""
    os.chdir(config["folder"])
    arguments = parser().parse_args(config["arguments"])
    arguments.run_command(arguments)


def main(argv: Sequence[str] | None = None) -> None:
    top = argparse.ArgumentParser(prog="python -m training.deploy.ray_train", add_help=False)
    top.add_argument("--processes", type=positive, required=True)
    own, others = top.parse_known_args(argv)
    command = ["train", "--auto-resume", *others]
    arguments = parser().parse_args(command)
    out = arguments.out or run_folder(RECIPES[arguments.recipe], arguments.data, arguments.seed)
    TorchTrainer(
        train_in_worker,
        train_loop_config={"folder": str(Path.cwd()), "arguments": command},
        torch_config=TorchConfig(timeout_s=arguments.peer_timeout),
        scaling_config=ScalingConfig(num_workers=own.processes, use_gpu=arguments.device == "cuda"),
        run_config=RunConfig(
            name="ray", storage_path=str(out.resolve()), failure_config=FailureConfig(max_failures=3)
        ),
    ).fit()


if __name__ == "__main__":
    main()
