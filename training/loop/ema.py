"""Exponential moving average of a network's weights."""

import copy

import torch
from torch import nn


class Ema:
    """Averages parameters and floating-point buffers (the running statistics) over steps; copies the rest.

    The decay warms up as (1 + t) / (10 + t), so that the first random weights are soon forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self.model = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights of `model` after a step."""
        self.updates += 1
        weight = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        averages, values = self.model.state_dict(), model.state_dict()
        floating = [name for name, value in values.items() if value.is_floating_point()]
        torch._foreach_lerp_([averages[n] for n in floating], [values[n] for n in floating], weight)
        for name in values.keys() - set(floating):
            averages[name].copy_(values[name])
