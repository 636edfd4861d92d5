"""What a recipe's augmentation makes of a few training images."""

import torch

from models.artifact.report import AugmentationSample
from models.augmentations.horizontal_flip import HorizontalFlip
from training.data.cifar10 import Split
from training.recipes.recipe import Recipe
from training.report.thumbnail import thumbnail

IMAGES = 6
EPOCHS = 5
SEED = 0


def augmentation_samples(recipe: Recipe, train: Split, classes: tuple[str, ...]) -> list[AugmentationSample]:
    """The first training image of each of the first classes, as the recipe augments it.

    Every row is drawn anew: the draws are like those of the run, not the same. Mixing of images is not in it,
    nor are smaller sizes of early epochs.
    """
    labels = train.labels.cpu()
    chosen = [int((labels == label).nonzero()[0]) for label in sorted(set(labels.tolist()))[:IMAGES]]
    originals = train.images[chosen].cpu()
    generator = torch.Generator().manual_seed(SEED)
    epochs = []
    for epoch in range(EPOCHS):
        images = originals.float() / 255
        if recipe.alternating_flip:
            flip = torch.full((len(images),), fill_value=epoch % 2 == 1)
            images = HorizontalFlip().apply(images, {"flip": flip})
        height, width = images.shape[2:]
        params = recipe.augmentation.sample(len(images), (height, width), generator)
        images = recipe.augmentation.apply(images, params)
        epochs.append((images * 255).round().to(torch.uint8))
    return [
        AugmentationSample(
            true_class=classes[int(labels[number])],
            original=thumbnail(originals[row]),
            augmented=[thumbnail(images[row]) for images in epochs],
        )
        for row, number in enumerate(chosen)
    ]
