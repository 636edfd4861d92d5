"""What may happen to a picture on its way to the service, beside corruptions: `CONDITIONS`, one line each."""

import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from models.artifact.robustness import Group
from models.preprocessing.decode import decode

ENOUGH_PIXELS = 50_000_000
FILL = (124, 116, 104)
"""What a turn or a move uncovers: a grey about as bright as pictures are on average."""


@dataclass(frozen=True)
class Perturbation:
    """`apply` gives an image, perhaps of another size, which the service then scales as any other."""

    group: Group
    name: str
    level: str
    apply: Callable[[Image.Image], Image.Image]


def encoded(kind: str, **options: object) -> Callable[[Image.Image], Image.Image]:
    """Written by Pillow with these options, and decoded as the service does."""

    def apply(image: Image.Image) -> Image.Image:
        file = io.BytesIO()
        image.save(file, kind, **options)
        return decode(file.getvalue(), ENOUGH_PIXELS).image

    return apply


def scaled(side: int) -> Callable[[Image.Image], Image.Image]:
    """The shorter side scaled to `side` pixels, as a sender's program would: bicubic."""

    def apply(image: Image.Image) -> Image.Image:
        share = side / min(image.size)
        return image.resize(
            (max(1, round(image.width * share)), max(1, round(image.height * share))),
            Image.Resampling.BICUBIC,
        )

    return apply


def rotated(degrees: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=FILL)


def shifted(right: float, down: float) -> Callable[[Image.Image], Image.Image]:
    """Moved by shares of width and height, to the nearest pixel."""

    def apply(image: Image.Image) -> Image.Image:
        result = Image.new("RGB", image.size, FILL)
        result.paste(image, (round(right * image.width), round(down * image.height)))
        return result

    return apply


def grey(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


JPEG_SUBSAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}
QUALITIES = (95, 75, 50, 30, 10)
SIZES = (16, 24, 48, 64, 128, 256, 512)
DEGREES = (-30, -15, -5, 5, 15, 30, 90, 180)
SHIFTS = {
    "1/16 right": (1 / 16, 0.0),
    "1/8 right": (1 / 8, 0.0),
    "1/4 right": (1 / 4, 0.0),
    "1/8 left": (-1 / 8, 0.0),
    "1/8 down": (0.0, 1 / 8),
    "1/8 up": (0.0, -1 / 8),
}

CONDITIONS: tuple[Perturbation, ...] = (
    *(
        Perturbation(
            "encoding", f"jpeg {name}", f"quality {q}", encoded("JPEG", quality=q, subsampling=number)
        )
        for name, number in JPEG_SUBSAMPLINGS.items()
        for q in QUALITIES
    ),
    *(Perturbation("encoding", "webp", f"quality {q}", encoded("WEBP", quality=q)) for q in QUALITIES),
    *(Perturbation("size", "scaled", f"{side} px", scaled(side)) for side in SIZES),
    *(Perturbation("movement", "rotated", f"{degrees}°", rotated(degrees)) for degrees in DEGREES),
    *(Perturbation("movement", "shifted", name, shifted(*shares)) for name, shares in SHIFTS.items()),
    Perturbation("colour", "grey", "all", grey),
)
"""WebP always halves its colour in both directions, as JPEG's 4:2:0 does."""
