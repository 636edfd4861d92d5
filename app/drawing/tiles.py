"""What augmentation makes of one image: tiles, and their grid as PNG. Knows nothing of HTTP."""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from pydantic import JsonValue
from torch import Tensor

from models.augmentations import Compose
from models.preprocessing.transform import Preprocessing

GAP = 2
"""White pixels between tiles and around the grid."""


@dataclass(frozen=True)
class Tiles:
    """Augmented images, uint8 (N, 3, H, W), and for each the parameters it was given, "operation.key"."""

    images: Tensor
    parameters: list[dict[str, JsonValue]]


def make_tiles(image: Tensor, operations: Compose, count: int, seed: int) -> Tiles:
    """Augment `image`, uint8 (3, H, W), `count` times with parameters of its own each.

    The same arguments give the same tiles. Raises `ParameterError` for an operation that is impossible at
    this size.
    """
    generator = torch.Generator().manual_seed(seed)
    sampled = operations.sample(count, (image.shape[1], image.shape[2]), generator)
    batch = (image.float() / 255).expand(count, -1, -1, -1)
    changed = operations.apply(batch, sampled)
    parameters: list[dict[str, JsonValue]] = [
        {key: values[index].tolist() for key, values in sampled.items()} for index in range(count)
    ]
    return Tiles((changed * 255).round().clamp(0, 255).to(torch.uint8), parameters)


def network_inputs(images: Tensor, preprocessing: Preprocessing) -> list[npt.NDArray[np.uint8]]:
    """`images`, uint8 (N, 3, H, W), as if each had been uploaded as PNG: N of uint8 (C, S, S)."""
    return [preprocessing.resize(_enlarged(image, 1)) for image in images]


def to_png(image: Tensor, scale: int) -> bytes:
    """Encode `image`, uint8 (3, H, W), with every pixel drawn as a square of `scale` pixels."""
    return _encode(_enlarged(image, scale))


def grid_size(tile: tuple[int, int], rows: int, cols: int, scale: int) -> tuple[int, int]:
    """Width and height in pixels of a grid of tiles of (height, width) pixels."""
    height, width = tile
    return cols * (width * scale + GAP) + GAP, rows * (height * scale + GAP) + GAP


def grid_png(images: Tensor, rows: int, cols: int, scale: int) -> bytes:
    """Lay out `images`, uint8 (rows * cols, 3, H, W), row by row on white."""
    height, width = images.shape[2:]
    page = Image.new("RGB", grid_size((height, width), rows, cols, scale), "white")
    for index, image in enumerate(images):
        row, col = divmod(index, cols)
        corner = (GAP + col * (width * scale + GAP), GAP + row * (height * scale + GAP))
        page.paste(_enlarged(image, scale), corner)
    return _encode(page)


def _enlarged(image: Tensor, scale: int) -> Image.Image:
    tile = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    return tile.resize((tile.width * scale, tile.height * scale), Image.Resampling.NEAREST)


def _encode(image: Image.Image) -> bytes:
    png = io.BytesIO()
    image.save(png, "PNG")
    return png.getvalue()
