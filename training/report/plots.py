"""Figures of a run and of an evaluation, as PNG and SVG, readable in print."""

import io
import warnings
from collections.abc import Sequence
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from models.artifact.report import AugmentationSample, EpochRecord, Evaluation, Mistake
from training.evaluation.evaluate import CALIBRATION_BINS
from training.loop.checkpoint import RunState
from training.output_folder import write_file
from training.report.confusion import shown_confusion
from training.report.thumbnail import decode_thumbnail

# Told apart without colour too: by line style and marker.
TRAIN: dict[str, Any] = {"color": "#1b4f8f", "marker": "o", "linestyle": "-"}
WATCHED: dict[str, Any] = {"color": "#b5451b", "marker": "s", "linestyle": "--"}
ABOVE_IMAGE_SIZES = 14  # points
LONGEST_NAME = 19
"""Characters of a class's name, as many as fit above a picture."""
SHORT_NAME = 12
"""Characters of a class's name, as many as fit behind "taken for", and need no wider margin."""
DPI = 160
METADATA: dict[str, dict[str, Any]] = {"png": {"Software": None}, "svg": {"Date": None}}
"""Without what differs from one time to the next."""


def shortened(name: str, longest: int = LONGEST_NAME) -> str:
    """A class's name as a figure has room for it: beyond `longest` characters its middle is left out."""
    if len(name) <= longest:
        return name
    half = longest // 2
    return f"{name[:half]}…{name[1 - half :]}"


def new_figure(width: float, height: float, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure of so many inches, and its axes side by side."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = [figure.add_subplot(1, columns, column + 1) for column in range(columns)]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(b=False)
        ax.grid(visible=True, color="#dddddd", linewidth=0.6)
        ax.set_axisbelow(b=True)
    return figure, axes


def training_figure(
    history: Sequence[EpochRecord], watched: str, test_accuracy: float | None = None
) -> Figure:
    """Training loss, and training and `watched` accuracy, over epochs; the final test accuracy as a line."""
    figure, (left, right) = new_figure(9, 3.4, columns=2)
    epochs = [record.epoch for record in history]
    left.plot(epochs, [r.train_loss for r in history], label="training (augmented)", **TRAIN)
    left.plot(epochs, [r.watched_loss for r in history], label=watched, **WATCHED)
    left.set(xlabel="epoch", ylabel="cross-entropy (nats)")
    left.set_title("Loss", loc="left", pad=ABOVE_IMAGE_SIZES)
    right.plot(epochs, [r.train_accuracy for r in history], label="training (augmented)", **TRAIN)
    right.plot(epochs, [r.watched_accuracy for r in history], label=watched, **WATCHED)
    if test_accuracy is not None:
        right.axhline(
            test_accuracy, color="#333333", linestyle=":", label=f"test, final weights: {test_accuracy:.2%}"
        )
    right.set(xlabel="epoch", ylabel="accuracy")
    right.set_title("Accuracy", loc="left", pad=ABOVE_IMAGE_SIZES)
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for ax in (left, right):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        _mark_image_sizes(ax, history)
        ax.legend(frameon=False)
    return figure


def _mark_image_sizes(ax: Axes, history: Sequence[EpochRecord]) -> None:
    """A line where the image size changes, for the curves jump there, and over each part its size."""
    parts = [list(part) for _, part in groupby(history, attrgetter("image_size"))]
    for before, after in pairwise(parts):
        ax.axvline((before[-1].epoch + after[0].epoch) / 2, color="#999999", linewidth=0.8)
    if len(parts) > 1:
        for part in parts:
            middle, text = (part[0].epoch + part[-1].epoch) / 2, f"{part[0].image_size} px"
            ax.annotate(
                text, (middle, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", fontsize=7
            )


def confusion_figure(evaluation: Evaluation, classes: Sequence[str]) -> Figure:
    """Counts of true class (row) against predicted class (column), as `shown_confusion` chooses them."""
    shown = shown_confusion(evaluation.confusion, classes)
    labels = [shortened(name) for name in shown.classes]
    beyond = max(0, max(map(len, labels)) - SHORT_NAME)
    size = max(4.0, 0.55 * len(labels) + 1.2) + 0.08 * beyond
    figure, (ax,) = new_figure(size, size)
    ax.grid(visible=False)
    shares = [[n / max(1, total) for n in row] for row, total in zip(shown.counts, shown.totals, strict=True)]
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(shown.counts):
        for j, count in enumerate(row):
            ax.text(
                j,
                i,
                str(count),
                ha="center",
                va="center",
                fontsize=8,
                color="w" if shares[i][j] > 0.5 else "k",
            )
    # A dollar sign in a class's name is no formula.
    places = range(len(labels))
    ax.set_xticks(places, labels=labels, rotation=45, ha="right", parse_math=False)
    ax.set_yticks(places, labels=labels, parse_math=False)
    title = f"Confusion, accuracy {evaluation.accuracy:.2%}"
    ax.set(xlabel="predicted", ylabel="true", title=f"{title}\n{shown.note}" if shown.note else title)
    return figure


def calibration_figure(evaluation: Evaluation) -> Figure:
    """How often the network is right when it is so sure, against the diagonal of a calibrated one."""
    figure, (ax,) = new_figure(4.4, 4)
    filled = [i for i, share in enumerate(evaluation.bin_share) if share > 0]
    ax.plot([0, 1], [0, 1], color="#999999", linestyle=":", label="perfectly calibrated")
    ax.bar(
        [evaluation.bin_confidence[i] for i in filled],
        [evaluation.bin_accuracy[i] for i in filled],
        width=0.8 / CALIBRATION_BINS,
        color="#1b4f8f",
        label=f"network, expected error {evaluation.expected_calibration_error:.3f}",
    )
    ax.set(xlabel="confidence", ylabel="accuracy", title="Calibration", xlim=(0, 1), ylim=(0, 1))
    ax.legend(frameon=False, loc="upper left")
    return figure


def mistakes_figure(mistakes: Sequence[Mistake]) -> Figure:
    """The images that were taken for something else: true class, answer and its probability above each."""
    titles = [
        f"{shortened(m.true_class)}\ntaken for {shortened(m.answer, SHORT_NAME)}\n{m.probability:.1%}"
        for m in mistakes
    ]
    return _pictures([m.picture for m in mistakes], titles, columns=6)


def augmentation_figure(samples: Sequence[AugmentationSample]) -> Figure:
    """One row a training image: as it is, then augmented."""
    pictures = [picture for sample in samples for picture in (sample.original, *sample.augmented)]
    titles = [title for s in samples for title in (shortened(s.true_class), *[""] * len(s.augmented))]
    return _pictures(pictures, titles, columns=1 + len(samples[0].augmented))


def _pictures(pictures: Sequence[str], titles: Sequence[str], columns: int) -> Figure:
    """Thumbnails in rows, every pixel a square."""
    rows = -(-len(pictures) // columns)
    tallest = max(title.count("\n") + 1 for title in titles)
    figure = Figure(figsize=(1.4 * columns, (1.3 + 0.18 * tallest) * rows), layout="constrained")
    for place, (picture, title) in enumerate(zip(pictures, titles, strict=True), start=1):
        ax = figure.add_subplot(rows, columns, place)
        ax.imshow(np.asarray(decode_thumbnail(picture)), interpolation="nearest")
        # A height is given, as to find one takes longer than to draw the picture.
        ax.set_title(title, fontsize=8, parse_math=False, y=1)
        ax.axis("off")
    return figure


def render(figure: Figure, name: str, kinds: Sequence[str] = ("png", "svg")) -> dict[str, bytes]:
    """The figure as `name`.KIND, of each of the kinds; the same figure gives the same bytes.

    A character that no font of this machine has is a box in the PNG; the SVG carries the text itself.
    """
    files = {}
    with (
        mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        _lay_out(figure)
        for kind in kinds:
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=DPI, metadata=METADATA[kind])
            files[f"{name}.{kind}"] = buffer.getvalue()
    return files


def _lay_out(figure: Figure) -> None:
    """Give every part its place once for all kinds: `savefig` would do it for each, and it costs most."""
    figure.set_dpi(DPI)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def watched_name(held_out: int) -> str:
    """What the epochs of a run were watched on."""
    return "validation" if held_out else "test"


def write_run_plots(folder: Path, state: RunState) -> None:
    """Write training.png and training.svg into the run's folder."""
    figure = training_figure(state.history, watched_name(state.recipe.held_out))
    for name, content in render(figure, "training").items():
        write_file(folder / name, content)
