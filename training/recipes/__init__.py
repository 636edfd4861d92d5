"""The recipes by name. A new one is a file beside this and one line here."""

from training.recipes.cpu import CPU
from training.recipes.fast import FAST
from training.recipes.fine_tune import FINE_TUNE
from training.recipes.lenet import LENET
from training.recipes.lesson import LESSON, LESSON_NO_AUGMENTATION
from training.recipes.recipe import Recipe
from training.recipes.resnet18_cifar10 import RESNET18_CIFAR10
from training.recipes.resnet18_cifar10_cycle import RESNET18_CIFAR10_CYCLE
from training.recipes.resnet18_cifar10_gpu import RESNET18_CIFAR10_GPU

RECIPES: dict[str, Recipe] = {
    "resnet18-cifar10": RESNET18_CIFAR10,
    "resnet18-cifar10-cycle": RESNET18_CIFAR10_CYCLE,
    "resnet18-cifar10-gpu": RESNET18_CIFAR10_GPU,
    "fast": FAST,
    "cpu": CPU,
    "fine-tune": FINE_TUNE,
    "lesson": LESSON,
    "lesson-no-augmentation": LESSON_NO_AUGMENTATION,
    "lenet": LENET,
}
