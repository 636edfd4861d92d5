"""Your own images, from the weights of the bundled network: a few epochs at a tenth of its learning rate.

python -m training train --recipe fine-tune --init bundled --data FOLDER
"""

from models.augmentations import Compose
from models.augmentations.random_crop import RandomCrop
from training.recipes.recipe import Recipe, Stage

FINE_TUNE = Recipe(
    name="fine-tune",
    architecture="resnet18-3x3",
    norm_layer="torch",
    initialization="kaiming",
    stages=(Stage(epochs=10, image_size=32),),
    batch_size=64,
    optimizer="sgd",
    learning_rate=0.03,
    schedule="linear",
    warmup=0.1,
    weight_decay=5e-4,
    label_smoothing=0.1,
    augmentation=Compose((("random_crop", RandomCrop(padding=4, padding_mode="reflect")),)),
    alternating_flip=True,
    held_out=1000,
)
