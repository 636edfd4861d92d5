from dataclasses import replace

import numpy as np

from tests.training.loop.test_checkpoint import RECORD, state
from training.loop.checkpoint import RunState
from training.report.curves import curves_figure, describe_gap
from training.report.plots import render


def run(name: str, *accuracies: tuple[float, float], held_out: int = 0) -> RunState:
    """A run whose epochs reached these accuracies, of training and of what was watched."""
    return replace(
        state(),
        recipe=state().recipe.changed(name=name, held_out=held_out),
        history=[
            replace(RECORD, epoch=number, train_accuracy=trained, watched_accuracy=watched)
            for number, (trained, watched) in enumerate(accuracies, 1)
        ],
    )


def test_runs_lie_side_by_side_over_one_axis() -> None:
    figure = curves_figure([run("with", (0.5, 0.45), (0.7, 0.65)), run("without", (0.6, 0.4), (0.95, 0.6))])
    svg = render(figure, "curves", ["svg"])["curves.svg"].decode()
    assert "with: gap 5.0 points" in svg
    assert "without: gap 35.0 points" in svg
    left, right = figure.axes
    assert left.get_ylim() == right.get_ylim()
    assert left.get_position().x1 < right.get_position().x0
    training, test = right.lines
    assert np.asarray(training.get_ydata()).tolist() == [0.6, 0.95]
    assert np.asarray(test.get_ydata()).tolist() == [0.4, 0.6]


def test_the_gap_is_that_of_the_last_epoch_to_what_was_watched() -> None:
    reached = (0.5, 0.45), (0.7, 0.72)
    assert describe_gap(run("a", *reached)) == "a, epoch 2: training 70.0%, test 72.0%, gap -2.0 points"
    assert "validation 72.0%" in describe_gap(run("a", *reached, held_out=10))
