"""CIFAR-10 as uint8 tensors on the device: the whole data set fits, so no loader stands between."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from training.data.memory import lack_of_memory

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10

DEFAULT_FOLDER = Path("data")
CIFAR10_NAME = "cifar-10"
CIFAR10_IMAGES = 60_000
CIFAR10_PIXELS = 32
SPLIT_SEED = 0
"""Fixed apart from the run's seed, so that runs with different seeds hold out the same images."""


class DataError(ValueError):
    """The data set is absent or unfit; the message says what to do."""


@dataclass(frozen=True)
class Split:
    """Images (N, C, H, W) uint8 and labels (N,) int64, on one device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Split":
        return Split(self.images.to(device), self.labels.to(device))


@dataclass(frozen=True)
class ImageData:
    """A data set: `train`, `held_out` (may be empty) and `test`, with what the artifact has to know of it.

    `mean` and `std` are per channel, of the training images in 0..1. `sha256` is over all images and labels.
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    held_out: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sha256: str

    def to(self, device: torch.device) -> "ImageData":
        return ImageData(
            self.name,
            self.classes,
            self.train.to(device),
            self.held_out.to(device),
            self.test.to(device),
            self.mean,
            self.std,
            self.sha256,
        )


def channel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel of uint8 images (N, C, H, W), in 0..1, exact.

    Computed from counts of the 256 values, so that no copy of the data set in larger numbers is made.
    """
    means, stds = [], []
    values = torch.arange(256, dtype=torch.float64) / 255
    for channel in images.unbind(1):
        share = torch.bincount(channel.reshape(-1), minlength=256).cpu().double() / channel.numel()
        mean = (share * values).sum()
        means.append(round(mean.item(), 6))
        stds.append(round((share * (values - mean).square()).sum().sqrt().item(), 6))
    return tuple(means), tuple(stds)


def build(name: str, classes: tuple[str, ...], train: Split, test: Split, held_out: int) -> ImageData:
    """Hold out `held_out` of the training images at random, and measure the data set.

    Raises `DataError` where nothing would be left to train on.
    """
    if held_out >= len(train):
        raise DataError(f"held_out must be less than the {len(train)} training images, got {held_out}")
    digest = hashlib.sha256()
    for part in (train.images, train.labels, test.images, test.labels):
        digest.update(part.contiguous().numpy().tobytes())
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(SPLIT_SEED))
    kept, apart = order[held_out:].sort().values, order[:held_out].sort().values
    mean, std = channel_statistics(train.images)
    return ImageData(
        name=name,
        classes=classes,
        train=Split(train.images[kept], train.labels[kept]),
        held_out=Split(train.images[apart], train.labels[apart]),
        test=test,
        mean=mean,
        std=std,
        sha256=digest.hexdigest(),
    )


def download_cifar10(folder: Path) -> None:
    """Fetch CIFAR-10 into `folder` by torchvision; an intact copy is kept. Raises `DataError`."""
    try:
        _stored(folder, train=True, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"CIFAR-10 could not be downloaded to {folder}: {error}") from error


def load_cifar10(folder: Path, held_out: int, alternative: str = "") -> ImageData:
    """CIFAR-10 from `folder`, with `held_out` of the 50,000 training images kept apart.

    `alternative` ends the error that tells what may be given in its place. Raises `DataError` where the data
    set is not there or is damaged, and where it does not fit into memory.
    """
    if lack := lack_of_memory(CIFAR10_IMAGES, CIFAR10_PIXELS):
        raise DataError(f"{folder}: {lack}: give it more")
    try:
        parts = [_stored(folder, train=train) for train in (True, False)]
    except RuntimeError as error:
        raise DataError(
            f"no intact CIFAR-10 in {folder}: run `python -m training data --data {folder}` to download it, "
            f"or give by --data the folder that holds cifar-10-batches-py{alternative}"
        ) from error
    train, test = (
        Split(
            torch.from_numpy(np.ascontiguousarray(part.data.transpose(0, 3, 1, 2))),
            torch.tensor(part.targets, dtype=torch.int64),
        )
        for part in parts
    )
    return build(CIFAR10_NAME, tuple(parts[0].classes), train, test, held_out)


def _stored(folder: Path, *, train: bool, download: bool = False) -> "CIFAR10":
    # Here, as torchvision imports all of its networks, and every command would wait seconds for them.
    from torchvision.datasets import CIFAR10

    return CIFAR10(str(folder), train=train, download=download)
