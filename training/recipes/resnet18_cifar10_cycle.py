"""A further cycle of the bundled recipe, from weights that have been trained before.

    python -m training train --recipe resnet18-cifar10-cycle --init bundled

The operations are those of `resnet18-cifar10`, all but JPEG about half as often, since the network knows
them by now: 28 of 100 pictures get none of them, before 15. All are seen at full size: where bfloat16 is
native, small images are hardly faster. A cycle may follow on a cycle.
"""

from models.augmentations import Compose
from models.augmentations.color_jitter import ColorJitter
from models.augmentations.gaussian_blur import GaussianBlur
from models.augmentations.gaussian_noise import GaussianNoise
from models.augmentations.grayscale import Grayscale
from models.augmentations.jpeg import Jpeg
from models.augmentations.random_crop import RandomCrop
from models.augmentations.zoom import Zoom
from training.recipes.recipe import Stage
from training.recipes.resnet18_cifar10 import RESNET18_CIFAR10

RESNET18_CIFAR10_CYCLE = RESNET18_CIFAR10.changed(
    name="resnet18-cifar10-cycle",
    stages=(Stage(epochs=24, image_size=32),),
    batch_size=256,
    learning_rate=0.3,
    warmup=0.1,
    ema_decay=0.996,
    augmentation=Compose(
        (
            ("random_crop", RandomCrop(padding=4, padding_mode="reflect")),
            ("zoom", Zoom(probability=0.25, area=(0.4, 2.0), ratio=(3 / 4, 4 / 3))),
            (
                "color_jitter",
                ColorJitter(brightness=0.5, contrast=0.7, saturation=0.5, hue=0.05, probability=0.2),
            ),
            ("grayscale", Grayscale(probability=0.05)),
            ("gaussian_blur", GaussianBlur(probability=0.15, sigma=(0.1, 1.5))),
            ("gaussian_noise", GaussianNoise(probability=0.12, std=(0.0, 0.12))),
            ("jpeg", Jpeg(probability=0.35, quality=(20, 95), subsampling="either")),
        )
    ),
)
