"""The batches of a run: augmented, normalised and resized on the data's device."""

import torch
from torch import Tensor
from torch.nn import functional as F

from models.augmentations.horizontal_flip import HorizontalFlip
from models.preprocessing.transform import Preprocessing
from training.data.balance import class_weights
from training.data.cifar10 import ImageData
from training.loop.distributed import ALONE, Processes
from training.loop.mixing import Mixing
from training.recipes.recipe import Recipe


def preprocessing_of(recipe: Recipe, data: ImageData) -> Preprocessing:
    """What turns an image into the network's input, at training and at serving time."""
    return Preprocessing(
        input_size=recipe.stages[-1].image_size,
        in_channels=data.train.images.shape[1],
        interpolation="bilinear",
        mean=data.mean,
        std=data.std,
    )


def step_seed(seed: int, epoch: int, step: int) -> int:
    """The random numbers of one step follow from these alone, so that a checkpoint need not carry any."""
    return ((seed * 100_003 + epoch) * 100_003 + step) % 2**63


def seeded(seed: int, epoch: int, step: int, device: torch.device) -> torch.Generator:
    """The generator on `device` of one step."""
    return torch.Generator(device).manual_seed(step_seed(seed, epoch, step))


class Batches:
    """Makes the batches of a run, of each the share that `processes` gives to this process.

    Which images a batch holds, and what is done to each, is the same for any number of processes. Raises
    `ValueError` where `batch_size` does not fit the data set or the processes.
    """

    def __init__(self, recipe: Recipe, data: ImageData, seed: int, processes: Processes = ALONE) -> None:
        self.recipe, self.data, self.seed = recipe, data, seed
        self.share = processes.share
        self.device = data.train.images.device
        self.preprocessing = preprocessing_of(recipe, data)
        self.mixing = Mixing(recipe.mixup_alpha, recipe.cutmix_alpha)
        self.per_epoch = len(data.train) // recipe.batch_size
        if self.per_epoch == 0:
            raise ValueError(
                f"batch_size must be at most the {len(data.train)} training images, got {recipe.batch_size}"
            )
        if recipe.batch_size % processes.count:
            raise ValueError(
                f"batch_size must be a multiple of the {processes.count} processes, got {recipe.batch_size}"
            )

    def order(self, epoch: int) -> Tensor:
        """The images of `epoch` in their order; the last few that fill no batch are left out this time.

        With balanced sampling they are drawn with replacement, each class as often as any other.
        """
        generator = seeded(self.seed, epoch, self.per_epoch, self.device)
        if self.recipe.balance == "sampling":
            weights = class_weights(self.data)[self.data.train.labels]
            return torch.multinomial(weights, len(weights), replacement=True, generator=generator)
        return torch.randperm(len(self.data.train), generator=generator, device=self.device)

    def batch(self, epoch: int, step: int, order: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, S, S) float32 of one step, N = batch_size / processes, and their labels (N,).

        Where images are mixed, the second is the classes' shares, float32 (N, classes).
        """
        size = self.recipe.batch_size
        index = order[step * size : (step + 1) * size]
        height, width = self.data.train.images.shape[2:]
        generator = seeded(self.seed, epoch, step, self.device)
        params = self.recipe.augmentation.sample(size, (height, width), generator)
        if not self.mixing.on:
            index, params = self.share(index), {name: self.share(value) for name, value in params.items()}
        images = self.data.train.images[index].float() / 255
        if self.recipe.alternating_flip:
            first_half = self._flipped_first()[index]
            images = HorizontalFlip().apply(images, {"flip": first_half ^ bool(epoch % 2)})
        images = self.preprocessing.normalize(self.recipe.augmentation.apply(images, params))
        pixels = self.recipe.image_size_at(epoch)
        if (height, width) != (pixels, pixels):
            images = F.interpolate(images, (pixels, pixels), mode="bilinear", antialias=True)
        images, targets = self.mixing(
            images,
            self.data.train.labels[index],
            len(self.data.classes),
            step_seed(self.seed, epoch, step),
        )
        if self.mixing.on:
            # Only now, for an image's partner may be anywhere in the batch.
            images, targets = self.share(images), self.share(targets)
        return images.contiguous(memory_format=torch.channels_last), targets

    def _flipped_first(self) -> Tensor:
        generator = seeded(self.seed, 0, self.per_epoch + 1, self.device)
        return torch.rand(len(self.data.train), generator=generator, device=self.device) < 0.5
