"""What computes logits, behind one small protocol."""

from typing import Protocol

from torch import Tensor


class Engine(Protocol):
    """A loaded network. `name`, `device` and `precision` are for people to read.

    An image's logits do not depend on which other images share its batch, up to float rounding: libraries
    may add up a batch of another size in another order. The tests hold this to 1e-5 of a probability.
    """

    name: str
    device: str
    precision: str

    def predict(self, images: Tensor) -> Tensor:
        """Normalised images, float32 (N, C, H, W) on the CPU, to logits, float32 (N, classes) on the CPU."""
        ...
