"""A network block by block: what comes out, how many parameters it holds, how much it computes."""

import copy
from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from models.layers import LayerSummary, format_shape


def summarize(model: nn.Module, input_shape: tuple[int, int, int]) -> list[LayerSummary]:
    """List the blocks of `model` in the order in which one image of `input_shape` (C, H, W) passes them.

    A plain `nn.Sequential` is a list of blocks, every other module is one block. Only shapes are computed, on
    a copy: `model` may meanwhile be in use, and may be on the meta device.

    Raises `ValueError` for an input that the network cannot take.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ValueError(f"input_shape must be (C, H, W), each at least 1, got {input_shape}")
    shapes_only = copy.deepcopy(model).to("meta").eval()
    output_shapes: dict[str, tuple[int, ...]] = {}
    multiply_adds: Counter[str] = Counter()

    def watch(block_name: str, block: nn.Module) -> None:
        def note_shape(_module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
            output_shapes[block_name] = tuple(output.shape[1:])

        def count(module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
            multiply_adds[block_name] += _multiply_adds(module, output)

        block.register_forward_hook(note_shape)
        for module in block.modules():
            module.register_forward_hook(count)

    blocks = dict(_blocks(shapes_only))
    for name, block in blocks.items():
        watch(name, block)
    dtype = next(shapes_only.parameters()).dtype
    try:
        with torch.no_grad():
            shapes_only(torch.empty(1, *input_shape, device="meta", dtype=dtype))
    except RuntimeError as error:
        raise ValueError(
            f"the network cannot take an input of {format_shape(input_shape)}: {error}"
        ) from error

    return [
        LayerSummary(
            name=name,
            kind=type(blocks[name]).__name__,
            output_shape=output_shape,
            parameters=sum(parameter.numel() for parameter in blocks[name].parameters()),
            multiply_adds=multiply_adds[name],
        )
        for name, output_shape in output_shapes.items()
    ]


def _blocks(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        # The class itself, not its subclasses: a named kind of sequence, such as a stem, is one block.
        if type(child) is nn.Sequential:
            yield from _blocks(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _multiply_adds(module: nn.Module, output: Tensor) -> int:
    """Count one multiply-add for every weight that goes into every output value of one image."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        # A weight's first dimension is the output's channels or features.
        return output[0].numel() * prod(module.weight.shape[1:])
    return 0
