"""What every augmentation is: random parameters first, then a pure function of images and parameters."""

from abc import abstractmethod

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

Params = dict[str, Tensor]


class Augmentation(BaseModel):
    """A random change to images that leaves their labels true.

    A new one is a file in this folder with a subclass, and one line in `AUGMENTATIONS`. Its fields are its
    parameters, each with a default, a range (`ge` and `le`, or a `Literal`) and a description, from which the
    service and its page know them. Chance is confined to `sample`; `apply` has none, so that what was done to
    an image can be shown, stored and repeated.

    Values are taken as they are, no text for a number. Raises pydantic's `ValidationError` for an unknown
    parameter or an illegal value.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    @abstractmethod
    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:
        """Draw the parameters of `n` images of `image_size` (height, width), each its own.

        The result depends on the arguments alone: the draws are made on the generator's device, always as
        many and in the same order. Every tensor of the result has first dimension `n` and lies on that
        device. Raises `ValueError` where the operation is impossible for this size.
        """

    @abstractmethod
    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Change `images`, floats (N, 3, H, W) in 0..1, by `params`, which `sample` drew for N images.

        The result is a new tensor of the same shape, type, device and value range, without gradient. The
        input is left as it is. Params on another device are moved to that of the images. Raises
        `ValueError` for another shape, or for params of another number of images.
        """


def require_batch(images: Tensor, params: Params) -> None:
    """Raise `ValueError` unless `images` is (N, C, H, W) and `params` are those of N images."""
    if images.dim() != 4:
        raise ValueError(f"images must have the shape (N, C, H, W), got {tuple(images.shape)}")
    for key, value in params.items():
        if value.shape[0] != images.shape[0]:
            raise ValueError(f"{key} is for {value.shape[0]} images, got {images.shape[0]}")


def per_image(values: Tensor, images: Tensor) -> Tensor:
    """Shape `values` (N,) to (N, 1, 1, 1) on the device of `images`, to be broadcast over them."""
    return values.to(images.device).view(-1, 1, 1, 1)
