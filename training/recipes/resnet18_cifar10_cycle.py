"""A further cycle of the bundled recipe, from weights that have been trained before.

    python -m training train --recipe resnet18-cifar10-cycle --init bundled

Pictures and their augmentation are those of `resnet18-cifar10`, all at full size: where bfloat16 is native,
small images are hardly faster. A cycle may follow on a cycle.
"""

from training.recipes.recipe import Stage
from training.recipes.resnet18_cifar10 import RESNET18_CIFAR10

RESNET18_CIFAR10_CYCLE = RESNET18_CIFAR10.changed(
    name="resnet18-cifar10-cycle",
    stages=(Stage(epochs=24, image_size=32),),
    batch_size=256,
    learning_rate=0.3,
    warmup=0.1,
    ema_decay=0.996,
)
