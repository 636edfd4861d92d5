"""Lookahead: every few steps the weights go back part of the way to slower ones.

Source: Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", 2019,
https://arxiv.org/abs/1907.08610; with a share kept that grows over the run, after Jordan, 2024,
https://arxiv.org/abs/2404.00498.
"""

import torch
from torch import Tensor, nn

KEPT_AT_THE_END = 0.95**5
"""Share of themselves that the slow weights keep at the run's last step; before, it grows with the cube."""


class Lookahead:
    """Keeps the slow weights of `model`, running statistics included, and sets the model to them.

    `every` is the number of steps between two synchronisations, `total` that of the whole run.
    """

    def __init__(self, model: nn.Module, every: int, total: int) -> None:
        self.every, self.total = every, total
        self.slow = {name: value.clone() for name, value in _floating(model).items()}

    @torch.no_grad()
    def after_step(self, model: nn.Module, done: int) -> None:
        """To be called after each step; `done` counts them from 1. The run ends on the slow weights."""
        if done % self.every == 0:
            self._synchronise(model, KEPT_AT_THE_END * (done / self.total) ** 3)
        elif done == self.total:
            self._synchronise(model, 1.0)

    def load(self, slow: dict[str, Tensor]) -> None:
        """Go on with the slow weights of a checkpoint."""
        for name, value in self.slow.items():
            value.copy_(slow[name])

    def _synchronise(self, model: nn.Module, kept: float) -> None:
        fast, slow = list(_floating(model).values()), list(self.slow.values())
        torch._foreach_lerp_(slow, fast, 1 - kept)
        torch._foreach_copy_(fast, slow)


def _floating(model: nn.Module) -> dict[str, Tensor]:
    return {name: value for name, value in model.state_dict().items() if value.is_floating_point()}
