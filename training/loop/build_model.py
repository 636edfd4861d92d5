"""The network that a run begins with."""

import torch
from torch import Tensor, nn

from models import create_model
from models.architectures.initialization import initialize
from models.batch_norm.layer import BatchNorm
from training.data.cifar10 import ImageData
from training.loop.batches import preprocessing_of
from training.loop.whitening import whiten
from training.recipes.recipe import Recipe

WHITENING_PIXELS = 5000 * 32**2
"""Of the images whose patches set the first filters: so that those of large images need no more memory."""


def build_model(recipe: Recipe, data: ImageData, seed: int) -> nn.Module:
    """The recipe's network with its initial weights, on the CPU, so that every device starts alike.

    Raises `ValueError` where the recipe asks for what its architecture does not have, or for images that are
    too small for it.
    """
    torch.manual_seed(seed)
    norm_layer = nn.BatchNorm2d if recipe.norm_layer == "torch" else BatchNorm
    model = create_model(recipe.architecture, len(data.classes), data.train.images.shape[1], norm_layer)
    _require_large_enough(model, recipe, data.train.images.shape[1])
    initialize(model, recipe.initialization)
    if recipe.zero_init_residual:
        last_scales = [value for name, value in model.named_parameters() if name.endswith(".bn2.weight")]
        if not last_scales:
            raise ValueError(
                f"recipe {recipe.name!r}: zero_init_residual must be False, for {recipe.architecture} has no "
                f"residual blocks"
            )
        for scale in last_scales:
            nn.init.zeros_(scale)
    if recipe.whiten_stem:
        stem = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
        whiten(stem, preprocessing_of(recipe, data).normalize(whitening_images(data.train.images).cpu()))
    return model


def whitening_images(images: Tensor) -> Tensor:
    """As many of `images` (N, C, H, W) as have `WHITENING_PIXELS`, from all over: some lie class by class."""
    count = min(len(images), max(1, WHITENING_PIXELS // (images.shape[2] * images.shape[3])))
    return images[torch.arange(count, device=images.device) * len(images) // count]


@torch.inference_mode()
def _require_large_enough(model: nn.Module, recipe: Recipe, channels: int) -> None:
    size = min(stage.image_size for stage in recipe.stages)
    try:
        model.eval()(torch.zeros(1, channels, size, size))
    except RuntimeError as error:
        raise ValueError(
            f"image_size must be larger: {recipe.architecture} cannot take images of {size} pixels, as the "
            f"recipe's smallest are"
        ) from error
    finally:
        model.train()
