"""Several recipes over several seeds: what each reaches on the test set, and how well it uses the device."""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, median, stdev

import torch
from pydantic import JsonValue
from rich.console import Console

from models import create_model
from models.summary import summarize
from training.data.cifar10 import ImageData
from training.evaluation.evaluate import accuracy, predict
from training.loop.batches import preprocessing_of
from training.loop.checkpoint import FILE_NAME, CheckpointError, RunState, load_checkpoint
from training.loop.device import describe_hardware
from training.loop.progress import Progress
from training.loop.train import Interrupted, train
from training.recipes.recipe import Recipe

RUNS = {"fast": 5, "resnet18-cifar10-gpu": 3}
"""Seeds by recipe: what a campaign runs unless told otherwise."""
RESULT = "result.json"

PEAK_TFLOPS = {
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
}
"""Dense bfloat16 operations a second, in 10¹², by words of the GPU's name: the makers' data sheets."""


@dataclass(frozen=True)
class Result:
    """What one run reached: `accuracy` in 0..1 on the test set, `seconds` of training, epochs alone.

    `images_per_second` is the median over the epochs at the final image size; the first epoch, in which the
    network may be compiled, counts only where there is no other.
    """

    accuracy: float
    seconds: float
    images_per_second: float


def run_campaign(
    runs: Mapping[str, int],
    recipes: Mapping[str, Recipe],
    load: Callable[[int], ImageData],
    out: Path,
    *,
    minutes: float,
    console: Console,
    stopping: Callable[[], bool] = lambda: False,
) -> dict[str, JsonValue]:
    """Train every recipe of `runs` with the seeds 0 and up, each in a folder of its own in `out`.

    After `minutes`, or once `stopping` says yes, the run in progress is saved; called again, the campaign
    goes on from there. `load` gives the data set, on its device, with so many images held out. Returns the
    figures so far and how many runs are `left`. Raises what `train` raises, `Interrupted` apart, and
    `CheckpointError` for a result in `out` of another recipe, data set or hardware.
    """
    deadline = time.monotonic() + 60 * minutes

    def out_of_time() -> bool:
        return stopping() or time.monotonic() > deadline

    results: dict[str, list[Result]] = {name: [] for name in runs}
    left, hardware = 0, ""
    for name, seeds in runs.items():
        recipe = recipes[name]
        data = load(recipe.held_out)
        hardware = describe_hardware(data.train.images.device)
        for seed in range(seeds):
            folder = out / f"{name}-seed{seed}"
            if not (folder / RESULT).exists() and not out_of_time():
                console.print(f"{name}, seed {seed}")
                finish(recipe, data, folder, seed, console, out_of_time)
            if (folder / RESULT).exists():
                results[name].append(_read(folder / RESULT, _setting(recipe, data)))
            else:
                left += 1
    return {
        "campaign": {name: summary(recipes[name], results[name], hardware) for name in runs},
        "left": left,
        "hardware": hardware,
        "torch": str(torch.__version__),
    }


def finish(
    recipe: Recipe,
    data: ImageData,
    folder: Path,
    seed: int,
    console: Console,
    stopping: Callable[[], bool],
) -> None:
    """Begin the run or go on with it, and write its result once it is done."""
    try:
        train(
            recipe,
            data,
            folder,
            seed=seed,
            resume=(folder / FILE_NAME).exists(),
            progress=Progress(console),
            stopping=stopping,
        )
    except Interrupted:
        return
    result = measure(recipe, load_checkpoint(folder), data)
    partial = folder / f"{RESULT}.partial"
    partial.write_text(json.dumps({**_setting(recipe, data), **asdict(result)}), encoding="utf-8")
    partial.replace(folder / RESULT)
    console.print(f"test accuracy {result.accuracy:.2%} after {result.seconds:.0f} s of training")


def _setting(recipe: Recipe, data: ImageData) -> dict[str, JsonValue]:
    """What runs must have in common for their mean to say something."""
    return {
        "recipe": recipe.to_json(),
        "data": data.sha256,
        "hardware": describe_hardware(data.train.images.device),
    }


def _read(file: Path, setting: Mapping[str, JsonValue]) -> Result:
    stored = json.loads(file.read_text(encoding="utf-8"))
    for name, value in setting.items():
        if stored.pop(name, None) != value:
            raise CheckpointError(f"{file} is of another {name}: choose another --out, or move it away")
    return Result(**stored)


def measure(recipe: Recipe, state: RunState, data: ImageData) -> Result:
    """The figures of a finished run, its accuracy by one forward pass an image in float32."""
    from training.export.export import finished_model  # what export needs takes a second to import

    logits = predict(finished_model(state, data), data.test.images, preprocessing_of(recipe, data))
    final = [r for r in state.history if r.image_size == recipe.stages[-1].image_size]
    settled = [r for r in final if r.epoch > 1] or final
    return Result(
        accuracy=accuracy(logits, data.test.labels),
        seconds=round(state.seconds, 2),
        images_per_second=round(median(r.images_per_second for r in settled), 1),
    )


def summary(recipe: Recipe, results: list[Result], hardware: str) -> dict[str, JsonValue]:
    """Mean and standard deviation (of a sample, None for fewer than two) over the runs that are done."""
    n = len(results)
    if n == 0:
        return {"n": 0}
    accuracies = [result.accuracy for result in results]
    rate = fmean(result.images_per_second for result in results)
    return {
        "n": n,
        "accuracy_mean": round(fmean(accuracies), 5),
        "accuracy_std": round(stdev(accuracies), 5) if n > 1 else None,
        "accuracies": list(accuracies),
        "seconds_mean": round(fmean(result.seconds for result in results), 1),
        "images_per_second": round(rate, 1),
        "share_of_bf16_peak": share_of_peak(recipe, rate, hardware),
    }


def share_of_peak(recipe: Recipe, images_per_second: float, hardware: str) -> float | None:
    """The network's arithmetic as a share in 0..1 of what the GPU can do, None for one that is not known.

    A multiply-add is two operations; the backward pass does twice as many as the forward pass.
    """
    peak = next((peak for name, peak in PEAK_TFLOPS.items() if re.search(rf"\b{name}\b", hardware)), None)
    if peak is None:
        return None
    pixels = recipe.stages[-1].image_size
    with torch.device("meta"):
        model = create_model(recipe.architecture, 10)
    forward = 2 * sum(layer.multiply_adds for layer in summarize(model, (3, pixels, pixels)))
    return round(images_per_second * 3 * forward / (peak * 1e12), 4)


def parse_runs(texts: Iterable[str], recipes: Mapping[str, Recipe]) -> dict[str, int]:
    """`["fast=5"]` as `{"fast": 5}`. Raises `ValueError` for an unknown recipe or a number below 1."""
    runs = {}
    for text in texts:
        name, _, seeds = text.partition("=")
        if name not in recipes or not seeds.isdecimal() or int(seeds) < 1:
            raise ValueError(
                f"runs must be RECIPE=SEEDS such as fast=5, with a recipe of {', '.join(recipes)}, got {text}"
            )
        runs[name] = int(seeds)
    return runs
