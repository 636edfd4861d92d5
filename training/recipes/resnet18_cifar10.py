"""The bundled model: ResNet-18 on CIFAR-10 within the budget of two processor cores without bfloat16.

    python -m training train --recipe resnet18-cifar10

On an Intel Xeon at 2.5 GHz without bfloat16, 2 threads, shared with other work: 389 minutes, test accuracy
92.68 % (n = 1, seed 0).

Most epochs see small images, which cost a quarter and half as much; the last ones of each cycle adapt the
network to the full 32 pixels.
"""

from models.augmentations import Compose
from models.augmentations.random_crop import RandomCrop
from training.recipes.recipe import Recipe, Restart, Stage

RESNET18_CIFAR10 = Recipe(
    name="resnet18-cifar10",
    architecture="resnet18-3x3",
    norm_layer="torch",
    initialization="kaiming",
    whiten_stem=True,
    zero_init_residual=True,
    stages=(
        Stage(epochs=4, image_size=16),
        Stage(epochs=3, image_size=24),
        Stage(epochs=2, image_size=32),
        Stage(epochs=3, image_size=24),
        Stage(epochs=3, image_size=32),
        Stage(epochs=3, image_size=24),
        Stage(epochs=3, image_size=32),
    ),
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.3,
    schedule="linear",
    warmup=0.2,
    restarts=(Restart(epoch=9, learning_rate=0.2), Restart(epoch=15, learning_rate=0.2)),
    momentum=0.9,
    weight_decay=5e-4,
    label_smoothing=0.1,
    ema_decay=0.995,
    augmentation=Compose((("random_crop", RandomCrop(padding=4, padding_mode="reflect")),)),
    alternating_flip=True,
    held_out=1000,
)
