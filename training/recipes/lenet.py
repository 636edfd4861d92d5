"""LeNet with batch norm: a whole run in a few minutes on any machine, to see every part of training work.

python -m training train --recipe lenet
"""

from models.augmentations import Compose
from models.augmentations.horizontal_flip import HorizontalFlip
from training.recipes.recipe import Recipe, Stage

LENET = Recipe(
    name="lenet",
    architecture="lenet",
    norm_layer="ours",
    initialization="xavier",
    stages=(Stage(epochs=10, image_size=32),),
    batch_size=128,
    optimizer="adam",
    learning_rate=3e-3,
    schedule="linear",
    warmup=0.1,
    augmentation=Compose((("horizontal_flip", HorizontalFlip()),)),
    held_out=5000,
)
