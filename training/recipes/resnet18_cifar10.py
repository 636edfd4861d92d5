"""The bundled model: ResNet-18 on CIFAR-10, trained on pictures as people send them.

    python -m training train --recipe resnet18-cifar10

Beside shifts and mirror images it sees its subjects nearer and further away, in other light, without
colour, out of focus, with a sensor's noise and as JPEG files. The first convolution is learnt like all
others: one that is frozen at the whitening filters blows up what hardly varies in images, mostly noise.

Most of the early epochs see small images, which cost a quarter and half as much.
"""

from models.augmentations import Compose
from models.augmentations.color_jitter import ColorJitter
from models.augmentations.gaussian_blur import GaussianBlur
from models.augmentations.gaussian_noise import GaussianNoise
from models.augmentations.grayscale import Grayscale
from models.augmentations.jpeg import Jpeg
from models.augmentations.random_crop import RandomCrop
from models.augmentations.zoom import Zoom
from training.recipes.recipe import Recipe, Stage

RESNET18_CIFAR10 = Recipe(
    name="resnet18-cifar10",
    architecture="resnet18-3x3",
    norm_layer="torch",
    initialization="kaiming",
    zero_init_residual=True,
    stages=(
        Stage(epochs=4, image_size=16),
        Stage(epochs=6, image_size=24),
        Stage(epochs=16, image_size=32),
    ),
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.3,
    schedule="linear",
    warmup=0.2,
    momentum=0.9,
    weight_decay=5e-4,
    label_smoothing=0.1,
    ema_decay=0.998,
    reestimate_batch_norm=40,
    augmentation=Compose(
        (
            ("random_crop", RandomCrop(padding=4, padding_mode="reflect")),
            ("zoom", Zoom(probability=0.4, area=(0.4, 2.0), ratio=(3 / 4, 4 / 3))),
            (
                "color_jitter",
                ColorJitter(brightness=0.5, contrast=0.7, saturation=0.5, hue=0.05, probability=0.3),
            ),
            ("grayscale", Grayscale(probability=0.08)),
            ("gaussian_blur", GaussianBlur(probability=0.2, sigma=(0.1, 1.5))),
            ("gaussian_noise", GaussianNoise(probability=0.25, std=(0.0, 0.12))),
            ("jpeg", Jpeg(probability=0.35, quality=(20, 95), subsampling="either")),
        )
    ),
    alternating_flip=True,
    held_out=1000,
)
