"""What no server around this model can pass on this machine: its engine alone, and its decoding alone.

    python -m tests.bench.limits

Run by `tests.bench.serving` as a process beside the servers, so that all are measured in turn. It loads the
model as the service does, says on one line what it runs, and then answers every line of its input, a number
of seconds for each measurement, with a line of figures. Between them it does nothing.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from app.main import engine_options
from app.registry.served_model import ServedModel, load_model
from app.settings import Settings, load_settings
from models.engines import Engine, Images
from models.preprocessing.decode import decode
from tests.bench.payloads import Picture, pictures
from tests.bench.program import BenchError
from tests.bench.server import ROOT

SIZES = (1, 8, 16, 32)


@dataclass(frozen=True)
class Figures:
    """Images per second of the engine by batch size, and of decoding on one core by the picture's name."""

    engine: dict[int, float]
    decoding: dict[str, float]


def rate(engine: Engine, images: Images, seconds: float) -> float:
    """Images per second of batches like `images`, as many at once as the engine computes them."""

    def batches(deadline: float) -> int:
        done = 0
        while done == 0 or perf_counter() < deadline:
            engine.predict(images)
            done += 1
        return done

    with ThreadPoolExecutor(engine.concurrency) as others:
        start = perf_counter()
        beside = [others.submit(batches, start + seconds) for _ in range(engine.concurrency - 1)]
        # On this thread, which loaded the engine: torch keeps the number of its threads per thread.
        done = batches(start + seconds) + sum(future.result() for future in beside)
        return done * len(images) / (perf_counter() - start)


def decoding_rate(picture: Picture, model: ServedModel, max_pixels: int, seconds: float) -> float:
    """Images per second from the file's bytes to the network's size, on one core."""
    done, start = 0, perf_counter()
    while done == 0 or perf_counter() - start < seconds:
        decoded = decode(picture.content, max_pixels, model.preprocessing.input_size)
        model.preprocessing.resize(decoded.image, decoded.box)
        done += 1
    return done / (perf_counter() - start)


def measure(model: ServedModel, settings: Settings, seconds: float) -> Figures:
    metadata = model.metadata
    shape = (metadata.in_channels, metadata.input_size, metadata.input_size)
    engine = {}
    for size in SIZES:
        images = np.random.default_rng(0).integers(0, 256, (size, *shape), np.uint8)
        # A size that the service does not use was not warmed up.
        model.engine.predict(images)
        engine[size] = rate(model.engine, images, seconds)
    decoding = {
        name: decoding_rate(picture, model, settings.max_image_pixels, seconds)
        for name, picture in pictures().items()
    }
    return Figures(engine, decoding)


class Limits:
    """The process, as `serving` sees it, once it is ready. `about` says what it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.about = self._answer()

    def measure(self, seconds: float) -> Figures:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()
        figures = self._answer()
        engine = {int(size): value for size, value in figures["engine"].items()}
        return Figures(engine, figures["decoding"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the measurement of the engine alone has ended; what it printed is above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def starting(environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """The process, for `Limits`, with exactly `environment`; it ends with the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.bench.limits"],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def main() -> None:
    settings = load_settings()
    options = engine_options(settings)
    model = load_model(settings.model_dir, settings.engine, options, settings.max_batch or None)
    about = {
        "model": f"{model.metadata.name} {model.metadata.version}",
        "engine": model.engine.name,
        "engine_version": model.engine.version,
        "device": model.engine.device,
        "precision": model.engine.precision,
        "threads": options.threads,
        "workers": settings.workers,
        "concurrency": model.engine.concurrency,
        "max_batch": model.max_batch,
    }
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        figures = measure(model, settings, float(line))
        print(json.dumps({"engine": figures.engine, "decoding": figures.decoding}), flush=True)


if __name__ == "__main__":
    main()
