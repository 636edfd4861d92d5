"""A recipe for another data set than the one it was made for: other image sizes, fewer images."""

from training.data.cifar10 import ImageData
from training.recipes.recipe import Recipe, Restart, Stage

STEPS_PER_EPOCH = 4
"""That an epoch has at least; with fewer, a batch norm's running statistics lag behind the weights."""


def with_image_size(recipe: Recipe, image_size: int) -> Recipe:
    """The same recipe with a last stage of `image_size` pixels, and all stages in proportion."""
    last = recipe.stages[-1].image_size
    stages = tuple(
        Stage(epochs=s.epochs, image_size=max(1, round(s.image_size * image_size / last)))
        for s in recipe.stages
    )
    return recipe.changed(stages=stages)


def fitted(recipe: Recipe, data: ImageData, processes: int = 1) -> Recipe:
    """The same recipe, with what `data` holds out, and with smaller batches where the images are few.

    A batch is halved, to a multiple of `processes`, until an epoch has `STEPS_PER_EPOCH` steps, as long as
    each process keeps 2 images. The learning rate goes down in proportion for SGD, with the square root for
    Adam. It follows from the recipe, the data and the number of processes alone, so that
    a run resumed by as many finds the same.

    Sources: Goyal et al., "Accurate, Large Minibatch SGD", 2017, https://arxiv.org/abs/1706.02677; Malladi et
    al., "On the SDEs and Scaling Rules for Adaptive Gradient Algorithms", 2022,
    https://arxiv.org/abs/2205.10287.
    """
    batch = recipe.batch_size
    while batch >= 4 * processes and batch * STEPS_PER_EPOCH > len(data.train):
        batch = batch // 2 // processes * processes
    share = batch / recipe.batch_size
    scale = share if recipe.optimizer == "sgd" else share**0.5
    return recipe.changed(
        held_out=len(data.held_out),
        batch_size=batch,
        learning_rate=recipe.learning_rate * scale,
        restarts=tuple(
            Restart(epoch=r.epoch, learning_rate=r.learning_rate * scale) for r in recipe.restarts
        ),
    )
