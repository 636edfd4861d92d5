"""What decoding large JPEGs at reduced scale saves, and what it changes.

    python -m tests.bench.decoding [--photos FOLDER] [--data data] [--images 1000]

Compares `models.preprocessing.decode` at full and at reduced scale, through the model to be served: over the
JPEGs in FOLDER, and over test images of CIFAR-10 enlarged to 640x480, which have labels. Differences are of
the network's input, in levels of 0..255. Prints tables, and one JSON line last.
"""

import argparse
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from torch import Tensor

from app.errors import SettingsError
from app.main import engine_options
from app.registry.served_model import ServedModel, load_model
from app.settings import load_settings
from models.artifact.store import ArtifactError
from models.engines import Floats
from models.preprocessing.decode import decode
from models.preprocessing.formats.jpeg import REDUCED_TO_SHORTEST
from models.preprocessing.image_error import ImageError
from tests.bench.payloads import QUALITY
from tests.bench.program import BenchError, machine, run, say, table
from training.data.cifar10 import DataError, Split, load_cifar10

Bytes: TypeAlias = npt.NDArray[np.uint8]

WIDTH, HEIGHT = 640, 480
REPEATS = 5
"""How often each photo is decoded; its time is the median."""


@dataclass(frozen=True)
class Comparison:
    """The reduced against the full decode of some images.

    `mean_difference` and `max_difference` are in levels of the network's input, `same_class` is a share,
    `max_probability_change` of any class of any image. Times are per image, resizing included.
    """

    images: int
    mean_difference: float
    max_difference: int
    same_class: float
    max_probability_change: float
    full_ms: float
    reduced_ms: float


def main() -> int:
    options = _parse()
    return run(lambda: benchmark(options.photos, options.data, options.images))


def benchmark(photos: Path | None, data: Path, images: int) -> dict[str, Any]:
    try:
        settings = load_settings()
        model = load_model(settings.model_dir, settings.engine, engine_options(settings), None)
        test = load_cifar10(data, held_out=0).test
    except (SettingsError, ArtifactError, DataError, OSError) as error:
        raise BenchError(str(error)) from error
    say(f"{model.metadata.name} {model.metadata.version}, {model.engine.name} {model.engine.precision}\n")
    rows = {}
    for file in jpegs(photos) if photos else []:
        try:
            rows[file.name] = compare(model, [file.read_bytes()], REPEATS)[0]
        except ImageError as error:
            raise BenchError(f"{file}: {error}") from error
    name = f"CIFAR-10 at {WIDTH}x{HEIGHT}"
    chosen = Split(test.images[:images], test.labels[:images])
    rows[name], full, reduced = compare(model, [enlarged(image) for image in chosen.images], 1)
    accuracy = {
        "original": _accuracy(_probabilities(model, chosen.images.numpy()), chosen.labels),
        "full": _accuracy(full, chosen.labels),
        "reduced": _accuracy(reduced, chosen.labels),
    }
    say(_table(rows))
    say("\naccuracy: " + ", ".join(f"{share:.4f} {decoded}" for decoded, share in accuracy.items()))
    return {
        "benchmark": "decoding",
        **machine("pillow", "torch", "openvino"),
        "model": f"{model.metadata.name} {model.metadata.version}",
        "engine": model.engine.name,
        "precision": model.engine.precision,
        "reduced_to_shortest": REDUCED_TO_SHORTEST,
        "comparisons": {
            name: {field: round(value, 4) for field, value in asdict(found).items()}
            for name, found in rows.items()
        },
        "accuracy": {decoded: round(share, 4) for decoded, share in accuracy.items()},
    }


def jpegs(folder: Path) -> list[Path]:
    """The JPEG files in `folder`. Raises `BenchError` for none."""
    found = sorted(file for file in folder.glob("*") if file.suffix.lower() in (".jpg", ".jpeg"))
    if not found:
        raise BenchError(f"--photos: no JPEG file in {folder}")
    return found


def enlarged(image: Tensor) -> bytes:
    """A square image, uint8 (3, S, S), as a JPEG of 640x480: its centre is the image, the sides mirror it."""
    square = Image.fromarray(image.permute(1, 2, 0).numpy())
    side = (WIDTH - HEIGHT) // 2
    middle = np.asarray(square.resize((HEIGHT, HEIGHT), Image.Resampling.BICUBIC))
    whole = Image.fromarray(np.pad(middle, ((0, 0), (side, side), (0, 0)), "reflect"))
    written = io.BytesIO()
    whole.save(written, "JPEG", quality=QUALITY)
    return written.getvalue()


def compare(model: ServedModel, contents: Sequence[bytes], repeats: int) -> tuple[Comparison, Floats, Floats]:
    """The comparison, and the probabilities (N, classes) by full and by reduced decode."""
    pixels = load_settings().max_image_pixels
    size = model.preprocessing.input_size

    def full(content: bytes) -> Bytes:
        return model.preprocessing.resize(decode(content, pixels).image)

    def reduced(content: bytes) -> Bytes:
        decoded = decode(content, pixels, size)
        return model.preprocessing.resize(decoded.image, decoded.box)

    inputs, times = [], []
    for prepare in (full, reduced):
        prepared, milliseconds = _timed(prepare, contents, repeats)
        inputs.append(prepared)
        times.append(milliseconds)
    before, after = (_probabilities(model, images) for images in inputs)
    levels = np.abs(inputs[0].astype(int) - inputs[1])
    found = Comparison(
        images=len(contents),
        mean_difference=float(levels.mean()),
        max_difference=int(levels.max()),
        same_class=float((before.argmax(1) == after.argmax(1)).mean()),
        max_probability_change=float(np.abs(before - after).max()),
        full_ms=times[0],
        reduced_ms=times[1],
    )
    return found, before, after


def _timed(prepare: Callable[[bytes], Bytes], contents: Sequence[bytes], repeats: int) -> tuple[Bytes, float]:
    """The prepared images, uint8 (N, C, S, S), and the median milliseconds for one."""
    images, milliseconds = [], []
    for content in contents:
        for _ in range(repeats):
            start = perf_counter()
            image = prepare(content)
            milliseconds.append(1000 * (perf_counter() - start))
        images.append(image)
    return np.stack(images), median(milliseconds)


def _probabilities(model: ServedModel, images: Bytes) -> Floats:
    starts = range(0, len(images), model.max_batch)
    logits = [model.engine.predict(images[start : start + model.max_batch]) for start in starts]
    return model.probabilities(np.concatenate(logits))


def _accuracy(probabilities: Floats, labels: Tensor) -> float:
    return float((probabilities.argmax(1) == labels.numpy()).mean())


def _table(rows: Mapping[str, Comparison]) -> str:
    header = ["images", "mean levels", "max", "same class", "probability", "full ms", "reduced ms"]
    cells = [
        [
            name,
            f"{found.mean_difference:.2f}",
            str(found.max_difference),
            f"{found.same_class:.4f}",
            f"{found.max_probability_change:.3f}",
            f"{found.full_ms:.2f}",
            f"{found.reduced_ms:.2f}",
        ]
        for name, found in rows.items()
    ]
    return table(header, cells)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--photos", type=Path, help="a folder of JPEG files")
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder of CIFAR-10 (default: %(default)s)"
    )
    parser.add_argument(
        "--images", type=int, default=1000, help="number of CIFAR-10 test images (default: %(default)s)"
    )
    options = parser.parse_args()
    if options.images < 1:
        parser.error("--images must be at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
