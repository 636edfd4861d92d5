"""What JPEG compression leaves of an image, without a file in between."""

import math
from functools import lru_cache
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from models.augmentations.base import Augmentation, Params, per_image, require_batch
from models.augmentations.chance import sample_applied, sample_uniform, where_applied
from models.augmentations.parameters import Range

BLOCK = 8
HALF_UP = 0.5 + 1e-3
"""Halves are rounded up even where arithmetic in float32 falls short of them, so that every device and every
size of a batch rounds alike."""

# The tables of Annex K of the standard, by row: steps of the coefficients at quality 50.
LUMINANCE_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMINANCE_STEPS = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *[(99,) * 8] * 4,
)

# JFIF's colours: luma, and the differences of blue and red from it around 128.
TO_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168735892, -0.331264108, 0.5),
    (0.5, -0.418687589, -0.081312411),
)
TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


class Jpeg(Augmentation):
    """Compress and decompress some of the images as a baseline JPEG file, with libjpeg's usual choices.

    The quality is a whole number, uniform in `quality`, by libjpeg's scale. The chroma is kept ("4:4:4"),
    halved along both axes ("4:2:0"), or either with equal chances. Halved chroma is the mean of four pixels
    and comes back by interpolation.

    Source: ITU-T T.81, 1992, https://www.w3.org/Graphics/JPEG/itu-t81.pdf, and T.871 (JFIF), 2011.

    Params: `applied`, bool (n,), `quality`, float32 (n,) of whole numbers, and `subsampled`, bool (n,).
    Raises `ValueError` for a probability outside 0..1, a quality outside 1..100 and an unknown subsampling,
    and in `apply` for images of other than 3 channels.
    """

    probability: float = Field(0.5, ge=0, le=1, description="Share of the images that are changed.")
    quality: Range[Annotated[int, Field(ge=1, le=100)]] = Field(
        (30, 95), description="Quality of the file, whole numbers as libjpeg counts them."
    )
    subsampling: Literal["either", "4:4:4", "4:2:0"] = Field(
        "either", description="Whether the colours' resolution is halved."
    )

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:  # noqa: ARG002
        share = {"either": 0.5, "4:4:4": 0.0, "4:2:0": 1.0}[self.subsampling]
        low, high = self.quality
        return {
            "applied": sample_applied(n, self.probability, generator),
            "quality": sample_uniform(n, (low - 0.5, high + 0.5), generator).round().clamp(low, high),
            "subsampled": sample_applied(n, share, generator),
        }

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        if images.shape[1] != 3:
            raise ValueError(f"images must have 3 channels, got {images.shape[1]}")
        values = images.to(torch.promote_types(images.dtype, torch.float32))
        compressed = compress(values, params["quality"].to(values), params["subsampled"].to(images.device))
        return where_applied(params["applied"], compressed, images)


def compress(images: Tensor, quality: Tensor, subsampled: Tensor) -> Tensor:
    """`images`, float (N, 3, H, W) in 0..1, as they come out of JPEG files of `quality` (N,), in 1..100.

    Where `subsampled`, bool (N,), the chroma has half the resolution. The result has 256 levels a channel.
    """
    height, width = images.shape[2:]
    offsets = _constant((0.0, 128.0, 128.0), images.device, images.dtype).view(1, 3, 1, 1)
    ycbcr = _whole(_recoloured(_whole(255 * images.clamp(0, 1)), TO_YCBCR) + offsets)
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    luminance, chrominance = (_scaled(steps, scale) for steps in (LUMINANCE_STEPS, CHROMINANCE_STEPS))

    luma = _coded(ycbcr[:, :1], luminance)
    chroma = _coded(ycbcr[:, 1:], chrominance)
    even = F.pad(ycbcr[:, 1:], (0, width % 2, 0, height % 2), mode="replicate")
    halved = _coded(_whole(F.avg_pool2d(even, 2)), chrominance)
    doubled = F.interpolate(halved, scale_factor=2, mode="bilinear")[:, :, :height, :width]
    chroma = torch.where(per_image(subsampled, images), _whole(doubled), chroma)

    decoded = torch.cat([luma, chroma], 1) - offsets
    return _whole(_recoloured(decoded, TO_RGB)).clamp(0, 255) / 255


def _whole(values: Tensor) -> Tensor:
    return (values + HALF_UP).floor()


@lru_cache
def _constant(values: tuple[object, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Kept on the device: to bring it there every time would make the host wait for it."""
    with torch.inference_mode(mode=False):
        return torch.tensor(values, device=device, dtype=dtype)


def _recoloured(images: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    return torch.einsum("oc,nchw->nohw", _constant(matrix, images.device, images.dtype), images)


def _scaled(steps: tuple[tuple[int, ...], ...], scale: Tensor) -> Tensor:
    """The table of steps, (N, 1, 1, 8, 1, 8), at `scale` (N,) percent of that of quality 50."""
    table = _constant(steps, scale.device, scale.dtype).view(1, 1, 1, BLOCK, 1, BLOCK)
    return ((table * scale.view(-1, 1, 1, 1, 1, 1) + 50) / 100).floor().clamp(1, 255)


def _coded(planes: Tensor, steps: Tensor) -> Tensor:
    """`planes` (N, C, H, W) of whole numbers in 0..255, coded in blocks of 8×8 with these steps."""
    n, channels, height, width = planes.shape
    padded = F.pad(planes, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate") - 128
    rows, columns = (size // BLOCK for size in padded.shape[2:])
    basis = _cosines(planes)
    blocks = padded.view(n, channels, rows, BLOCK, columns, BLOCK)
    coefficients = torch.einsum("ur,ncirjs,vs->nciujv", basis, blocks, basis)
    coefficients = _whole((coefficients / steps).abs()) * coefficients.sign() * steps
    restored = torch.einsum("ur,nciujv,vs->ncirjs", basis, coefficients, basis)
    whole = (_whole(restored) + 128).clamp(0, 255)
    return whole.reshape(padded.shape)[:, :, :height, :width]


def _cosines(like: Tensor) -> Tensor:
    """The orthonormal discrete cosine transform of eight values: frequency by place, (8, 8)."""
    frequency = torch.arange(BLOCK, device=like.device, dtype=like.dtype).view(-1, 1)
    place = torch.arange(BLOCK, device=like.device, dtype=like.dtype)
    basis = (math.pi / BLOCK * (place + 0.5) * frequency).cos() / 2
    basis[0] /= math.sqrt(2)
    return basis
