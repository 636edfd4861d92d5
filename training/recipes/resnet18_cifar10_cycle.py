"""A further cycle of the bundled recipe, from weights that have been trained before.

    python -m training train --recipe resnet18-cifar10-cycle --init bundled

Pictures and their augmentation are those of `resnet18-cifar10`. Small images come first: they cost half as
much, and the large ones settle what they leave. A cycle may follow on a cycle.
"""

from training.recipes.recipe import Stage
from training.recipes.resnet18_cifar10 import RESNET18_CIFAR10

RESNET18_CIFAR10_CYCLE = RESNET18_CIFAR10.changed(
    name="resnet18-cifar10-cycle",
    stages=(Stage(epochs=1, image_size=24), Stage(epochs=3, image_size=32)),
    learning_rate=0.05,
    warmup=0.1,
)
