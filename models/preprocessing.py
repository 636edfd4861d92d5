"""Image to network input, built from an artifact's metadata alone: the same in training and in serving."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from models.metadata import ModelDescription

INTERPOLATIONS: dict[str, Image.Resampling] = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

COLOUR_MODES: dict[int, str] = {1: "L", 3: "RGB"}
"""Pillow's colour mode for a number of input channels."""

WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's modes of more than 8 bits, which it would clip rather than scale on conversion."""

LONGEST_TO_SHORTEST = 16
"""A longer image loses its ends before it is scaled; the crop of the centre would cut them off anyway."""


@dataclass(frozen=True)
class Preprocessing:
    """Scale an image's shorter side to `input_size` pixels, crop the centre square, normalise every channel.

    `mean` and `std` are per channel, for values in 0..1. `interpolation` is one of `INTERPOLATIONS`, always
    antialiased. Raises `ValueError` naming the field that is out of its range.
    """

    input_size: int
    in_channels: int
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.input_size < 1:
            raise ValueError(f"input_size must be at least 1, got {self.input_size}")
        if self.in_channels not in COLOUR_MODES:
            raise ValueError(f"in_channels must be 1 (greyscale) or 3 (RGB), got {self.in_channels}")
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"interpolation must be one of {', '.join(INTERPOLATIONS)}, got {self.interpolation!r}"
            )
        for field, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.in_channels:
                raise ValueError(
                    f"{field} must hold in_channels = {self.in_channels} values, got {len(values)}"
                )
            if not all(math.isfinite(value) for value in values):
                raise ValueError(f"{field} must hold finite numbers, got {values}")
        if min(self.std) <= 0:
            raise ValueError(f"std must hold numbers above 0, got {self.std}")

    @classmethod
    def from_metadata(cls, metadata: "ModelDescription") -> Self:
        """The preprocessing that a stored model asks for."""
        return cls(
            input_size=metadata.input_size,
            in_channels=metadata.in_channels,
            interpolation=metadata.interpolation,
            mean=metadata.mean,
            std=metadata.std,
        )

    def __call__(self, image: Image.Image) -> Tensor:
        """Turn one image of any size into network input: float32 (in_channels, S, S), S = input_size."""
        return self.normalize(self.resize(image).unsqueeze(0)).squeeze(0)

    def resize(self, image: Image.Image, full_size: tuple[int, int] | None = None) -> Tensor:
        """Turn one image of any size into uint8 (in_channels, S, S), S = input_size.

        An image that has the right size and mode comes out bit for bit as it came in. Transparency is
        dropped, so compose it onto a background first where it matters. Of an image that was decoded at a
        reduced scale, `full_size` is the original width and height: with rounded sides its own proportions
        would move the crop.

        Raises `ValueError` for an image of more than 8 bits per channel.
        """
        if image.mode in WIDE_MODES:
            raise ValueError(
                f"image mode must hold 8 bits per channel, got {image.mode!r}: scale it to 8 bits first"
            )
        mode = COLOUR_MODES[self.in_channels]
        converted = image if image.mode == mode else image.convert(mode)
        if converted.size == (self.input_size, self.input_size):
            return self._pixels(converted)
        # Scaling the whole of a picture 1 pixel high and a million wide would need gigabytes.
        longest = LONGEST_TO_SHORTEST * min(converted.size)
        trimmed = converted
        if max(converted.size) > longest:
            trimmed = _crop_centre(converted, min(converted.width, longest), min(converted.height, longest))
        proportions = trimmed.size if full_size is None or trimmed is not converted else full_size
        scaled = trimmed.resize(
            _scaled_size(proportions, self.input_size), INTERPOLATIONS[self.interpolation]
        )
        return self._pixels(_crop_centre(scaled, self.input_size, self.input_size))

    def _pixels(self, square: Image.Image) -> Tensor:
        pixels = np.frombuffer(square.tobytes(), np.uint8)
        channels_last = pixels.reshape(self.input_size, self.input_size, self.in_channels)
        # A copy, because the bytes must not be written to and a tensor may be.
        return torch.from_numpy(channels_last.transpose(2, 0, 1).copy())

    def normalize(self, images: Tensor) -> Tensor:
        """(value - mean) / std per channel, in float32 on the images' own device.

        `images` is (N, in_channels, H, W), either uint8 in 0..255 or floating point in 0..1; both give
        exactly the same result for the same pixels. Raises `ValueError` for any other shape or type.
        """
        if images.dim() != 4 or images.shape[1] != self.in_channels:
            raise ValueError(
                f"images must have shape (N, {self.in_channels}, H, W), got {tuple(images.shape)}"
            )
        if images.dtype == torch.uint8:
            values = images.to(torch.float32).div_(255)
        elif images.is_floating_point():
            values = images.to(torch.float32)
        else:
            raise ValueError(f"images must be uint8, or floating point in 0..1, got {images.dtype}")
        mean = torch.tensor(self.mean, device=images.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, device=images.device).view(1, -1, 1, 1)
        return (values - mean).div_(std)


def _scaled_size(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Width and height once the shorter of the two is `shorter`, the other rounded to whole pixels."""
    width, height = (round(length * shorter / min(size)) for length in size)
    return width, height


def _crop_centre(image: Image.Image, width: int, height: int) -> Image.Image:
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))
