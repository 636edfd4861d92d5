"""A network block by block: what comes out, how many parameters it holds, how much it computes."""

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class LayerSummary:
    """One block of a network for one image.

    `name` is its path in the network, `kind` its class, `output_shape` without the batch dimension.
    `multiply_adds` counts those of convolutions and linear layers, as is usual; additions of a bias, batch
    norms, activations and pooling are left out.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


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


def format_shape(shape: Sequence[int]) -> str:
    """Write a shape as 64×56×56."""
    return "×".join(str(length) for length in shape)


def format_table(layers: Sequence[LayerSummary]) -> str:
    """Lay the summary out as lines of equal width, the totals below."""
    rows = [("Layer", "Kind", "Output", "Parameters", "Multiply-adds")]
    for layer in layers:
        output = format_shape(layer.output_shape)
        rows.append((layer.name, layer.kind, output, f"{layer.parameters:,}", f"{layer.multiply_adds:,}"))
    parameters = sum(layer.parameters for layer in layers)
    multiply_adds = sum(layer.multiply_adds for layer in layers)
    rows.append(("Total", "", "", f"{parameters:,}", f"{multiply_adds:,}"))

    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = []
    for name, kind, *figures in rows:
        cells = [name.ljust(widths[0]), kind.ljust(widths[1])]
        cells += [figure.rjust(width) for figure, width in zip(figures, widths[2:], strict=True)]
        lines.append("  ".join(cells))
    rule = "─" * len(lines[0])
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


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
