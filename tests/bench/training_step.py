"""How many images a second one training step takes, by image size and precision.

    python -m tests.bench.training_step [--recipe resnet18-cifar10] [--steps 5] [--give-memory-back]

Runs on random images, on the GPU where there is one. Prints a table, and one JSON line last. Figures are
medians over the steps after the first two, which warm up; compare those of one run alone.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import torch

from training.data.cifar10 import ImageData, Split, build
from training.loop.device import Precision, describe_hardware, select_device
from training.loop.freed_memory import keep_freed_memory
from training.loop.train import Run
from training.recipes import RECIPES
from training.recipes.recipe import Stage

SIZES = (16, 24, 32)
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16")
WARM_UP = 2


def random_data(batch_size: int) -> ImageData:
    images = torch.randint(0, 256, (batch_size, 3, 32, 32), dtype=torch.uint8)
    split = Split(images, torch.arange(batch_size) % 10)
    return build("random", tuple(f"class {index}" for index in range(10)), split, split, held_out=0)


def images_per_second(name: str, size: int, precision: Precision, steps: int, device: torch.device) -> float:
    """The median rate of `steps` steps, augmentation, update and averaging included."""
    recipe = RECIPES[name].changed(
        stages=(Stage(epochs=1, image_size=size),), precision=precision, held_out=0
    )
    run = Run(recipe, random_data(recipe.batch_size).to(device), seed=0, out=Path())
    run.model.train()
    order, seconds = run.batches.order(0), []
    for _ in range(WARM_UP + steps):
        start = time.perf_counter()
        loss, _ = run.step(*run.batches.batch(0, 0, order))
        loss.item()  # waits for the device
        seconds.append(time.perf_counter() - start)
    return recipe.batch_size / statistics.median(seconds[WARM_UP:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="resnet18-cifar10")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument(
        "--give-memory-back", action="store_true", help="leave the C library as it is, unlike training"
    )
    arguments = parser.parse_args()
    device = select_device("auto")
    if device.type == "cpu" and not arguments.give_memory_back:
        keep_freed_memory()
    rates: dict[str, dict[str, float]] = {}
    print(
        f"{arguments.recipe} on {describe_hardware(device)}\n\npixels"
        + "".join(f"{p:>12}" for p in PRECISIONS)
    )
    for size in SIZES:
        rates[str(size)] = {
            precision: round(images_per_second(arguments.recipe, size, precision, arguments.steps, device), 1)
            for precision in PRECISIONS
        }
        print(
            f"{size:>6}" + "".join(f"{rates[str(size)][precision]:>12}" for precision in PRECISIONS),
            flush=True,
        )
    print(
        json.dumps(
            {
                "benchmark": "training_step",
                "recipe": arguments.recipe,
                "hardware": describe_hardware(device),
                "torch": torch.__version__,
                "python": platform.python_version(),
                "images_per_second": rates,
            }
        )
    )


if __name__ == "__main__":
    main()
