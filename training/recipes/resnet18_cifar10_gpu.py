"""The bundled network at full strength: what ResNet-18 with the 3×3 stem reaches on one GPU.

    python -m training train --recipe resnet18-cifar10-gpu

Hardware: one data-centre GPU with bfloat16. Wall time and accuracy (mean ± std over n seeds): not measured
yet; `python -m training campaign` measures both. The aim is 96.5 to 97 %.
"""

from models.augmentations import Compose
from models.augmentations.cutout import Cutout
from models.augmentations.random_crop import RandomCrop
from models.augmentations.trivial_augment import TrivialAugment
from training.recipes.recipe import Recipe, Stage

RESNET18_CIFAR10_GPU = Recipe(
    name="resnet18-cifar10-gpu",
    architecture="resnet18-3x3",
    norm_layer="torch",
    initialization="kaiming",
    zero_init_residual=True,
    stages=(Stage(epochs=100, image_size=32),),
    batch_size=512,
    optimizer="sgd",
    learning_rate=0.4,
    schedule="linear",
    warmup=0.1,
    momentum=0.9,
    weight_decay=5e-4,
    label_smoothing=0.1,
    ema_decay=0.998,
    reestimate_batch_norm=40,
    augmentation=Compose(
        (
            ("random_crop", RandomCrop(padding=4, padding_mode="reflect")),
            ("trivial_augment", TrivialAugment()),
            ("cutout", Cutout(size=16, value=0.5)),
        )
    ),
    alternating_flip=True,
    compile=True,
    compile_mode="reduce-overhead",
    held_out=1000,
)
