"""How many images a second every engine computes in every precision, by batch size.

    python -m tests.bench.engines [--rounds 3] [--seconds 0.5]

Of the model to be served, with as many threads as the service would take; what this machine or the model does
not have is left out, and said. All engines take turns, batch by batch; figures are medians over the rounds.
Prints a table, and one JSON line last.
"""

import argparse
import sys
from collections.abc import Mapping
from statistics import median
from typing import Any, Literal

import numpy as np
import torch

from app.errors import SettingsError
from app.main import engine_options
from app.settings import load_settings
from models.artifact.store import Artifact, ArtifactError, load_artifact
from models.engines import ENGINES, Engine, EngineError, EngineOptions, Precision, load_engine
from models.hardware import has_native_bfloat16
from tests.bench.limits import rate
from tests.bench.program import BenchError, machine, run, say, table

SIZES = tuple(2**power for power in range(8))
PRECISIONS: tuple[Precision, ...] = ("int8", "bfloat16", "float32")


def main() -> int:
    options = _parse()
    return run(lambda: benchmark(options.rounds, options.seconds))


def benchmark(rounds: int, seconds: float) -> dict[str, Any]:
    try:
        settings = load_settings()
        artifact = load_artifact(settings.model_dir)
    except (SettingsError, ArtifactError, OSError) as error:
        raise BenchError(str(error)) from error
    engines, missing = create_all(artifact, engine_options(settings))
    about = artifact.metadata
    shape = (about.in_channels, about.input_size, about.input_size)
    rates: dict[str, dict[int, list[float]]] = {name: {size: [] for size in SIZES} for name in engines}
    say(f"{about.name} {about.version}, {rounds} rounds of {seconds} s for each figure")
    for name, reason in missing.items():
        say(f"without {name}: {reason}")
    for number in range(rounds):
        say(f"round {number + 1} of {rounds} ...")
        for size in SIZES:
            images = np.random.default_rng(0).integers(0, 256, (size, *shape), np.uint8)
            for name, engine in engines.items():
                if number == 0:
                    engine.predict(images)  # the first batch of a size takes many times as long
                rates[name][size].append(rate(engine, images, seconds))
    medians = {
        name: {size: round(median(found), 1) for size, found in by_size.items()}
        for name, by_size in rates.items()
    }
    _print(medians)
    return {
        "benchmark": "engines",
        **machine("torch", "openvino"),
        "model": f"{about.name} {about.version}",
        "rounds": rounds,
        "seconds": seconds,
        "images_per_second": medians,
        "missing": missing,
    }


def create_all(artifact: Artifact, options: EngineOptions) -> tuple[dict[str, Engine], dict[str, str]]:
    """Every engine by its name, device and precision, and why which ones cannot be had."""
    engines: dict[str, Engine] = {}
    missing: dict[str, str] = {}
    devices: list[Literal["cuda", "cpu"]] = ["cuda", "cpu"] if torch.cuda.is_available() else ["cpu"]
    for device in devices:
        for kind in ENGINES:
            for precision in PRECISIONS:
                name = f"{kind} {precision} {device}"
                if (
                    kind == "torch"
                    and precision == "bfloat16"
                    and not has_native_bfloat16(torch.device(device))
                ):
                    missing[name] = f"this {device} does not compute in bfloat16"
                    continue
                try:
                    own = EngineOptions(device, precision, options.threads)
                    engines[name] = load_engine(artifact, kind, own)
                except EngineError as error:
                    missing[name] = str(error)
    return engines, missing


def _print(medians: Mapping[str, Mapping[int, float]]) -> None:
    rows = [[name, *(f"{value:.0f}" for value in by_size.values())] for name, by_size in medians.items()]
    say("\n" + table(["images/s by batch", *map(str, SIZES)], rows))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=0.5, help="seconds for each figure and round (default: %(default)s)"
    )
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds must be at least 1, --seconds above 0")
    return options


if __name__ == "__main__":
    sys.exit(main())
