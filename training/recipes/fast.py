"""96 % of the test images in as little time as one GPU needs: the large airbench network.

    python -m training train --recipe fast

Hardware: one data-centre GPU with bfloat16. Wall time and accuracy (mean ± std over n seeds): not measured
yet; `python -m training campaign` measures both.

The paper's hyperparameters for 96 %, with half as many epochs again and a wider second group in place of its
test-time augmentation. Nothing is held out, as nothing is chosen.
"""

from models.augmentations import Compose
from models.augmentations.cutout import Cutout
from models.augmentations.random_crop import RandomCrop
from training.recipes.recipe import Recipe, Stage

FAST = Recipe(
    name="fast",
    architecture="airbench96",
    norm_layer="torch",
    initialization="dirac",
    whiten_stem=True,
    stages=(Stage(epochs=60, image_size=32),),
    batch_size=1024,
    optimizer="sgd",
    learning_rate=1.17,
    schedule="linear",
    warmup=0.23,
    momentum=0.85,
    weight_decay=1.33e-3,
    batch_norm_rate_scale=64.0,
    decay_batch_norm=True,
    label_smoothing=0.2,
    lookahead=5,
    reestimate_batch_norm=20,
    augmentation=Compose(
        (
            ("random_crop", RandomCrop(padding=4, padding_mode="reflect")),
            ("cutout", Cutout(size=12, value=0.5)),
        )
    ),
    alternating_flip=True,
    compile=True,
    compile_mode="reduce-overhead",
)
