"""The accuracy of several runs side by side, and the gap between training and test that each ends with."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from training.loop.checkpoint import RunState
from training.report.plots import TRAIN, WATCHED, new_figure, watched_name

PANEL_WIDTH, HEIGHT = 4.2, 3.4  # inches


def curves_figure(runs: Sequence[RunState]) -> Figure:
    """A panel for each run, all over the same axis: training accuracy, and that of what was watched."""
    figure, panels = new_figure(PANEL_WIDTH * len(runs), HEIGHT, columns=len(runs))
    for run, panel in zip(runs, panels, strict=True):
        _draw(run, panel)
        panel.sharey(panels[0])
    panels[0].set_ylabel("accuracy")
    panels[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return figure


def _draw(run: RunState, panel: Axes) -> None:
    epochs = [record.epoch for record in run.history]
    trained = [record.train_accuracy for record in run.history]
    watched = [record.watched_accuracy for record in run.history]
    panel.fill_between(epochs, watched, trained, color="#bbbbbb", alpha=0.3, linewidth=0)
    panel.plot(epochs, trained, label="training", **TRAIN)
    panel.plot(epochs, watched, label=watched_name(run.recipe.held_out), **WATCHED)
    panel.set(xlabel="epoch")
    panel.set_title(f"{run.recipe.name}: gap {_points(run)}", loc="left", fontsize=9)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    panel.legend(frameon=False, loc="lower right")


def describe_gap(run: RunState) -> str:
    """One line: both accuracies in the last epoch, and their difference in percentage points."""
    last = run.history[-1]
    return (
        f"{run.recipe.name}, epoch {last.epoch}: training {last.train_accuracy:.1%}, "
        f"{watched_name(run.recipe.held_out)} {last.watched_accuracy:.1%}, gap {_points(run)}"
    )


def _points(run: RunState) -> str:
    last = run.history[-1]
    return f"{100 * (last.train_accuracy - last.watched_accuracy):.1f} points"
