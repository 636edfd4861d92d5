"""The lesson's own experiment: what augmentation does to a ResNet-18 that is trained for ten epochs.

python -m training train --recipe lesson
python -m training train --recipe lesson-no-augmentation

training/README.md shows the curves of both.
"""

from models.augmentations import Compose
from models.augmentations.horizontal_flip import HorizontalFlip
from training.recipes.recipe import Recipe, Stage

LESSON = Recipe(
    name="lesson",
    architecture="resnet18-3x3",
    norm_layer="ours",
    initialization="xavier",
    stages=(Stage(epochs=10, image_size=32),),
    batch_size=256,
    optimizer="adam",
    learning_rate=1e-3,
    schedule="constant",
    augmentation=Compose((("horizontal_flip", HorizontalFlip()),)),
)

LESSON_NO_AUGMENTATION = LESSON.changed(name="lesson-no-augmentation", augmentation=Compose(()))
