"""How fast JPEG decoders are on photographs, one beside the other in one run.

    python -m tests.bench.jpeg_decoders [--rounds N]

Each decodes to pixels in memory, in full and, where it can, as small as the service does, on one thread; what
is not installed is left out. `ours` is what the service does: `models.preprocessing.decode`, its reading of
the file's structure and its limits included. Processor time, medians of the rounds, which take turns.
"""

import argparse
import io
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import torch
from PIL import Image

from models.preprocessing.decode import decode
from models.preprocessing.formats.jpeg import inspect
from tests.bench.program import machine, run, say, table

PHOTOS = Path(__file__).parents[1] / "data/photos"
MEGAPIXELS = (0.001, 0.1, 0.3, 1.0, 3.0, 12.0)
MAX_PIXELS = 50_000_000
SIDE = 32
"""Of what the network takes, in pixels."""
PACKAGES = ("pillow", "simplejpeg", "torchvision", "imagecodecs")

Decoder = Callable[[bytes, int], object]
"""A file, and by how much to divide both sides."""


def photographs() -> Iterator[tuple[float, list[bytes]]]:
    """The same photographs at every size, as files of quality 85 and half the colours."""
    images = [Image.open(path).convert("RGB") for path in sorted(PHOTOS.glob("*.jpg"))]
    for megapixels in MEGAPIXELS:
        files = []
        for image in images:
            factor = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
            size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
            with io.BytesIO() as file:
                image.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=85, subsampling=2)
                files.append(file.getvalue())
        yield megapixels, files


def by_pillow(content: bytes, reduction: int) -> object:
    with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
        if reduction > 1:
            image.draft(None, (image.width // reduction, image.height // reduction))
        image.load()
        return image.size


def ours(content: bytes, reduction: int) -> object:
    return decode(content, MAX_PIXELS, SIDE if reduction > 1 else None)


def decoders() -> dict[str, Decoder]:
    """Those that are installed."""
    found: dict[str, Decoder] = {"ours": ours, "Pillow": by_pillow}

    def module(name: str) -> Any:  # noqa: ANN401 - packages without types
        try:
            return import_module(name)
        except ImportError:
            return None

    if simplejpeg := module("simplejpeg"):

        def by_simplejpeg(content: bytes, reduction: int) -> object:
            height, width, _, _ = simplejpeg.decode_jpeg_header(content)
            least = {"min_height": height // reduction, "min_width": width // reduction}
            return simplejpeg.decode_jpeg(content, "RGB", **least)

        found["simplejpeg"] = by_simplejpeg
    if vision := module("torchvision.io"):
        found["torchvision"] = lambda content, _: vision.decode_jpeg(
            torch.from_numpy(np.frombuffer(content, np.uint8).copy())
        )
    if imagecodecs := module("imagecodecs"):
        found["imagecodecs"] = lambda content, _: imagecodecs.jpeg8_decode(content)
    return found


ONLY_IN_FULL = ("torchvision", "imagecodecs")


def measure(rounds: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    known = decoders()
    rows: list[dict[str, Any]] = []
    for megapixels, files in photographs():
        for reduction in sorted({1, min(inspect(content).reduction(SIDE) for content in files)}):
            able = {name: it for name, it in known.items() if reduction == 1 or name not in ONLY_IN_FULL}
            times: dict[str, list[float]] = {name: [] for name in able}
            for _ in range(rounds + 1):
                for name, decoder in able.items():
                    started = process_time()
                    for content in files:
                        decoder(content, reduction)
                    times[name].append((process_time() - started) / len(files))
            # The first round finds caches cold.
            figures = {name: round(1000 * median(each[1:]), 3) for name, each in times.items()}
            rows.append({"megapixels": megapixels, "reduction": reduction, "milliseconds": figures})
    header = ("megapixels, scale", *known)
    say(
        table(
            header,
            [
                (
                    f"{row['megapixels']:g}, 1/{row['reduction']}",
                    *(f"{row['milliseconds'].get(name, float('nan')):.3f} ms" for name in known),
                )
                for row in rows
            ],
        )
    )
    return {"benchmark": "jpeg_decoders", **machine(*PACKAGES), "rounds": rounds, "rows": rows}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds: int = parser.parse_args().rounds
    return run(lambda: measure(rounds))


if __name__ == "__main__":
    sys.exit(main())
