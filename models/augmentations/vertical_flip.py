"""Top and bottom exchanged."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.augmentations.base import Params, per_image, require_batch
from models.augmentations.parameters import check_parameters, parameter


@dataclass(frozen=True)
class VerticalFlip:
    """Mirror each image about its horizontal axis with the given probability.

    Params: `flip`, bool (n,). Raises `ValueError` for a probability outside 0..1.
    """

    probability: float = parameter(0.5, "Chance that an image is turned upside down.", minimum=0, maximum=1)

    def __post_init__(self) -> None:
        check_parameters(self)

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:  # noqa: ARG002
        return {"flip": torch.rand(n, generator=generator, device=generator.device) < self.probability}

    @torch.no_grad()
    def apply(self, images: Tensor, params: Params) -> Tensor:
        require_batch(images, params)
        return torch.where(per_image(params["flip"], images), images.flip(2), images)
