"""Answers to pictures that something happened to, as tables and as a plot."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, groupby

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from models.artifact.robustness import Condition, Robustness
from training.report.plots import TRAIN, WATCHED, new_figure

STYLES = (TRAIN, WATCHED)
TITLES = {
    "corruption": "Corruptions, by severity",
    "encoding": "Encodings, by quality",
    "size": "Scaled to a size and back",
    "movement": "Rotated and shifted",
    "colour": "Without colour",
}


@dataclass(frozen=True)
class Row:
    """One thing that happened: the accuracy at each level, their mean, and the mean share that changed."""

    name: str
    accuracies: tuple[float, ...]
    mean: float
    changed: float


@dataclass(frozen=True)
class Grid:
    """What happened at the same levels."""

    title: str
    levels: tuple[str, ...]
    rows: tuple[Row, ...]


def grids(robustness: Robustness, precision: str) -> list[Grid]:
    """The figures of the network that computed in `precision`, in the order in which they were measured."""
    found = []
    for (group, levels), things in groupby(
        _things(robustness), lambda thing: (thing[0].group, _levels(thing))
    ):
        rows = []
        for conditions in things:
            figures = [condition.figures[precision] for condition in conditions]
            accuracies = tuple(each.accuracy for each in figures)
            changed = sum(each.changed for each in figures) / len(figures)
            rows.append(Row(conditions[0].name, accuracies, sum(accuracies) / len(accuracies), changed))
        found.append(Grid(TITLES[group], levels, tuple(rows)))
    return found


def _things(robustness: Robustness) -> Iterator[list[Condition]]:
    """The conditions of one name each."""
    for _, conditions in groupby(robustness.conditions, lambda each: (each.group, each.name)):
        yield list(conditions)


def _levels(conditions: list[Condition]) -> tuple[str, ...]:
    return tuple(condition.level for condition in conditions)


def robustness_figure(robustness: Robustness) -> Figure:
    """Left, of each thing that happened, mean accuracy and its range over the levels; right, encodings."""
    figure, (left, right) = new_figure(9, 5.4, columns=2)
    for place, precision in enumerate(robustness.clean):
        style = STYLES[place % len(STYLES)]
        rows = [row for grid in grids(robustness, precision) for row in grid.rows]
        heights = [number + 0.3 * place for number in range(len(rows))]
        left.hlines(
            heights,
            [min(row.accuracies) for row in rows],
            [max(row.accuracies) for row in rows],
            color=style["color"],
            alpha=0.35,
            linewidth=2,
        )
        left.plot(
            [row.mean for row in rows],
            heights,
            color=style["color"],
            marker=style["marker"],
            markersize=4,
            linestyle="",
            label=f"{precision}, as they are: {robustness.clean[precision]:.1%}",
        )
        left.axvline(robustness.clean[precision], color=style["color"], linestyle=":", linewidth=1)
        left.set_yticks(range(len(rows)), labels=[row.name.replace("_", " ") for row in rows], fontsize=8)
    left.invert_yaxis()
    left.set_title("Accuracy: mean and range over the levels", loc="left", fontsize=10)
    left.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    left.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.4, -0.06), ncols=2)
    first = next(iter(robustness.clean))
    for grid in grids(robustness, first):
        if grid.title == TITLES["encoding"]:
            for row, marker in zip(grid.rows, cycle("osD^v"), strict=False):
                right.plot(grid.levels, row.accuracies, marker=marker, markersize=4, label=row.name)
    right.set_title(f"Accuracy by encoding, {first}", loc="left", fontsize=10)
    right.tick_params(axis="x", labelsize=8)
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    right.legend(frameon=False, fontsize=8)
    return figure
