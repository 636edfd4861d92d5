"""Image to network input, built from an artifact's metadata alone: the same in training and in serving."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

if TYPE_CHECKING:
    import torch
    from torch import Tensor

INTERPOLATIONS: dict[str, Image.Resampling] = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

COLOUR_MODES: dict[int, str] = {1: "L", 3: "RGB"}
"""Pillow's colour mode for a number of input channels."""

WIDE_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's modes of more than 8 bits, which it would clip rather than scale on conversion."""

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of an image, in pixels and fractions of pixels."""

LONGEST_TO_SHORTEST = 16
"""A longer image loses its ends before it is scaled; the crop of the centre would cut them off anyway."""


class Input(Protocol):
    """What a stored model says of the images that it takes."""

    @property
    def input_size(self) -> int: ...
    @property
    def in_channels(self) -> int: ...
    @property
    def interpolation(self) -> str: ...
    @property
    def mean(self) -> tuple[float, ...]: ...
    @property
    def std(self) -> tuple[float, ...]: ...


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
    def from_metadata(cls, metadata: Input) -> Self:
        """The preprocessing that a stored model asks for."""
        return cls(
            input_size=metadata.input_size,
            in_channels=metadata.in_channels,
            interpolation=metadata.interpolation,
            mean=metadata.mean,
            std=metadata.std,
        )

    def __call__(self, image: Image.Image, box: Box | None = None) -> "Tensor":
        """Turn one image of any size into network input: float32 (in_channels, S, S), S = input_size."""
        import torch

        return self.normalize(torch.from_numpy(self.resize(image, box)).unsqueeze(0)).squeeze(0)

    def resize(self, image: Image.Image, box: Box | None = None) -> npt.NDArray[np.uint8]:
        """Turn one image of any size into uint8 (in_channels, S, S), S = input_size.

        An image that has the right size and mode comes out bit for bit as it came in. Transparency is
        dropped, so compose it onto a background first where it matters. `box` is the part of the image that
        counts as the whole, in pixels and fractions of pixels; without it that is all of the image.

        Raises `ValueError` for an image of more than 8 bits per channel, or a box that is not inside it.
        """
        if image.mode in WIDE_MODES:
            raise ValueError(
                f"image mode must hold 8 bits per channel, got {image.mode!r}: scale it to 8 bits first"
            )
        mode, size = COLOUR_MODES[self.in_channels], self.input_size
        converted = image if image.mode == mode else image.convert(mode)
        whole = (0, 0, *image.size)
        if image.size != (size, size) or (box is not None and box != whole):
            converted = self._scale(converted, whole if box is None else box)
        pixels = np.frombuffer(converted.tobytes(), dtype=np.uint8).reshape(size, size, self.in_channels)
        return pixels.transpose(2, 0, 1).copy()

    def _scale(self, image: Image.Image, box: Box) -> Image.Image:
        """The centre square of `box`, scaled to the input's size."""
        # Scaling the whole of a picture 1 pixel high and a million wide would need gigabytes.
        image, box = _without_ends(image, box)
        scaled = image.resize(_scaled_size(box, self.input_size), INTERPOLATIONS[self.interpolation], box=box)
        left, top = (scaled.width - self.input_size) // 2, (scaled.height - self.input_size) // 2
        return scaled.crop((left, top, left + self.input_size, top + self.input_size))

    def normalize(self, images: "Tensor") -> "Tensor":
        """(value - mean) / std per channel, in float32 on the images' own device.

        The OpenVINO engine has the same arithmetic in its network.

        `images` is (N, in_channels, H, W), either uint8 in 0..255 or floating point in 0..1; both give
        exactly the same result for the same pixels. Raises `ValueError` for any other shape or type.
        """
        import torch

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
        mean, std = (_per_channel(constants, images.device) for constants in (self.mean, self.std))
        return (values - mean).div_(std)


@lru_cache
def _per_channel(constants: tuple[float, ...], device: "torch.device") -> "Tensor":
    """(1, C, 1, 1), kept on the device: to bring it there every time would make the host wait for it."""
    import torch

    with torch.inference_mode(mode=False):
        return torch.tensor(constants, device=device).view(1, -1, 1, 1)


def _scaled_size(box: Box, shorter: int) -> tuple[int, int]:
    """Width and height of `box` once the lesser of them is `shorter`, the other rounded to whole pixels."""
    left, top, right, bottom = box
    sides = right - left, bottom - top
    width, height = (round(side * shorter / min(sides)) for side in sides)
    return width, height


def _without_ends(image: Image.Image, box: Box) -> tuple[Image.Image, Box]:
    """Cut off by how much the longer side of `box` is more than `LONGEST_TO_SHORTEST` times the shorter."""
    left, top, right, bottom = box
    longest = LONGEST_TO_SHORTEST * min(right - left, bottom - top)
    if max(right - left, bottom - top) <= longest:
        return image, box
    width, height = min(right - left, longest), min(bottom - top, longest)
    left += (right - left - width) // 2
    top += (bottom - top - height) // 2
    x, y = math.floor(left), math.floor(top)
    cut = image.crop((x, y, math.ceil(left + width), math.ceil(top + height)))
    return cut, (left - x, top - y, left - x + width, top - y + height)
