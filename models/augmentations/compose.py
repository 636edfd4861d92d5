"""Several operations as one."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.augmentations.base import Augmentation, Params


@dataclass(frozen=True)
class Compose:
    """Named operations, sampled and applied in the stated order; none at all leaves the images as they are.

    Params: those of the operations, under "name.key". Raises `ValueError` for a name that occurs twice or
    contains a dot.
    """

    operations: tuple[tuple[str, Augmentation], ...] = ()

    def __post_init__(self) -> None:
        names = [name for name, _ in self.operations]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"operations must have different names, got {name!r} twice or more")
            if "." in name:
                raise ValueError(f"operations must have names without a dot, got {name!r}")

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:
        return {
            f"{name}.{key}": value
            for name, operation in self.operations
            for key, value in operation.sample(n, image_size, generator).items()
        }

    def apply(self, images: Tensor, params: Params) -> Tensor:
        if not self.operations:
            return images.detach().clone()
        for name, operation in self.operations:
            prefix = f"{name}."
            own = {key.removeprefix(prefix): value for key, value in params.items() if key.startswith(prefix)}
            images = operation.apply(images, own)
        return images
