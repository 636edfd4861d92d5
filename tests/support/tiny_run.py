"""A run small enough for a test, as values and as a program of its own.

    python -m tests.support.tiny_run OUT [--resume] [--kill-at STEP] [--kill-rank RANK] [--sync]

`--kill-at` has the process killed, as by the kernel, right after that step; of several processes the first,
or the one of `--kill-rank`. `--sync` runs `SYNCHRONISED` instead.
"""

import argparse
import os
import signal
from itertools import count
from pathlib import Path

import torch

from models.augmentations import Compose
from models.augmentations.random_crop import RandomCrop
from training.data.cifar10 import ImageData, Split, build
from training.loop.distributed import joined
from training.loop.train import train
from training.recipes.recipe import Recipe, Stage

CLASSES = ("dark", "middle", "bright")

RECIPE = Recipe(
    name="tiny",
    architecture="lenet",
    norm_layer="ours",
    initialization="xavier",
    stages=(Stage(epochs=1, image_size=16), Stage(epochs=2, image_size=20)),
    batch_size=8,
    optimizer="sgd",
    learning_rate=0.1,
    schedule="linear",
    warmup=0.2,
    weight_decay=5e-4,
    label_smoothing=0.1,
    ema_decay=0.9,
    precision="float32",  # by default it would depend on the processor
    augmentation=Compose((("random_crop", RandomCrop(padding=2)),)),
    alternating_flip=True,
    held_out=12,
)
SYNCHRONISED = RECIPE.changed(sync_batch_norm=True, learning_rate=0.005)
"""For comparison between numbers of processes: with the rate of `RECIPE`, which is high for batches so small,
each step makes a difference in the last digit several times as large."""
STEPS_PER_EPOCH = 6


def tiny_data() -> ImageData:
    """60 training and 30 test images of 20 × 20 pixels whose brightness tells their class."""
    generator = torch.Generator().manual_seed(0)

    def split(n: int) -> Split:
        labels = torch.arange(n) % len(CLASSES)
        noise = torch.randint(0, 80, (n, 3, 20, 20), generator=generator)
        return Split((noise + labels.view(-1, 1, 1, 1) * 80).to(torch.uint8), labels)

    return build("tiny", CLASSES, split(60), split(30), RECIPE.held_out)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--kill-at", type=int)
    parser.add_argument("--kill-rank", type=int, default=0)
    parser.add_argument("--sync", action="store_true")
    arguments = parser.parse_args()
    steps = count(1)

    # Torchrun sends it to those that are left; the command line, too, first finishes what it is at.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    recipe = SYNCHRONISED if arguments.sync else RECIPE
    with joined(torch.device("cpu")) as processes:

        def kill() -> bool:
            if next(steps) == arguments.kill_at and processes.rank == arguments.kill_rank:
                os.kill(os.getpid(), signal.SIGKILL)
            return False

        train(recipe, tiny_data(), arguments.out, resume=arguments.resume, stopping=kill, processes=processes)


if __name__ == "__main__":
    main()
