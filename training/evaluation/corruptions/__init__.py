"""The 15 corruptions of CIFAR-10-C, each at five severities: the plain dict `CORRUPTIONS`.

Definitions and constants are those for pictures of 32 pixels, by which CIFAR-10-C was made; pictures of other
sizes are corrupted by the same. Random numbers are seeded by ours, so that no picture is the published one,
but drawn from the same distributions; frost has a texture of its own (see there).

Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations", 2019, https://arxiv.org/abs/1903.12261, with its code, `make_cifar_c.py`.
"""

import zlib

import numpy as np
import torch
from torch import Tensor

from training.evaluation.corruptions.brightness import brightness
from training.evaluation.corruptions.contrast import contrast
from training.evaluation.corruptions.defocus_blur import defocus_blur
from training.evaluation.corruptions.eight_bits import to_bytes
from training.evaluation.corruptions.elastic_transform import elastic_transform
from training.evaluation.corruptions.fog import fog
from training.evaluation.corruptions.frost import frost
from training.evaluation.corruptions.gaussian_noise import gaussian_noise
from training.evaluation.corruptions.glass_blur import glass_blur
from training.evaluation.corruptions.impulse_noise import impulse_noise
from training.evaluation.corruptions.jpeg_compression import jpeg_compression
from training.evaluation.corruptions.motion_blur import motion_blur
from training.evaluation.corruptions.picture import Corruption
from training.evaluation.corruptions.pixelate import pixelate
from training.evaluation.corruptions.shot_noise import shot_noise
from training.evaluation.corruptions.snow import snow
from training.evaluation.corruptions.zoom_blur import zoom_blur

SEVERITIES = (1, 2, 3, 4, 5)

CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": gaussian_noise,
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "defocus_blur": defocus_blur,
    "glass_blur": glass_blur,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "elastic_transform": elastic_transform,
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
}


def corrupt(images: Tensor, name: str, severity: int, seed: int = 0) -> Tensor:
    """Uint8 `images` (N, 3, H, W) under the corruption `name` at a severity in 1..5, uint8 of the same shape.

    The random numbers of an image follow from `seed`, name, severity and its place alone. Raises `ValueError`
    for an unknown name or severity, and for images of another kind.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f"name must be one of {', '.join(CORRUPTIONS)}, got {name!r}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity must be in 1..5, got {severity}")
    if images.dtype != torch.uint8 or images.dim() != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be uint8 (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    corrupted = np.empty((len(images), *images.shape[2:], 3), dtype=np.uint8)
    for place, pixels in enumerate(images.permute(0, 2, 3, 1).cpu().numpy()):
        random = np.random.default_rng((seed, zlib.crc32(name.encode()), severity, place))
        corrupted[place] = to_bytes(CORRUPTIONS[name](pixels / 255, severity, random))
    return torch.from_numpy(corrupted).permute(0, 3, 1, 2).contiguous().to(images.device)
