"""What a network consists of, block by block: one row each, and the table of them."""

from collections.abc import Sequence
from dataclasses import dataclass


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
