import warnings
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.text import Text

from models.artifact.report import Mistake
from tests.training.loop.test_checkpoint import RECORD, state
from training.evaluation.evaluate import evaluate
from training.report.plots import (
    calibration_figure,
    confusion_figure,
    mistakes_figure,
    render,
    training_figure,
    write_run_plots,
)
from training.report.thumbnail import thumbnail

EVALUATION = evaluate(
    torch.randn(60, 3, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 3, ("a", "b", "c"), 1.0
)


def texts(figure: Figure) -> str:
    svg = render(figure, "figure")["figure.svg"].decode()
    assert svg.startswith("<?xml")
    return svg


@pytest.mark.parametrize("kind", ["training", "confusion", "calibration"])
def test_every_figure_is_a_png_and_an_svg_and_always_the_same(kind: str) -> None:
    def draw() -> dict[str, bytes]:
        figures = {
            "training": training_figure([RECORD], "validation"),
            "confusion": confusion_figure(EVALUATION, ("a", "b", "c")),
            "calibration": calibration_figure(EVALUATION),
        }
        return render(figures[kind], kind)

    files = draw()
    assert files[f"{kind}.png"].startswith(b"\x89PNG")
    assert len(files[f"{kind}.png"]) > 5_000
    assert files == draw()


def test_the_training_figure_names_its_axes_and_curves() -> None:
    svg = texts(training_figure([RECORD, RECORD], "validation", test_accuracy=0.925))
    for text in ("epoch", "cross-entropy (nats)", "accuracy", "training", "validation", "92.50%"):
        assert text in svg


def test_a_change_of_image_size_is_marked() -> None:
    history = [RECORD, replace(RECORD, epoch=2, image_size=24)]
    svg = texts(training_figure(history, "test"))
    assert "32 px" in svg
    assert "24 px" in svg


def test_a_class_of_any_name_is_shown_as_it_is() -> None:
    classes = (r"$\cash_$", "日本", "<&>")
    svg = texts(confusion_figure(EVALUATION, classes))
    for name in (classes[0], classes[1], "&lt;&amp;&gt;"):
        assert svg.count(f">{name}<") == 2


def test_names_of_any_length_lie_within_the_figure() -> None:
    long = ("a" * 200, "golden retriever", "c")
    picture = thumbnail(torch.zeros(3, 4, 4, dtype=torch.uint8))
    mistakes = [Mistake(0, true, answer, 0.9, 0.1, picture) for true, answer in permutations(long, 2)]
    for figure in (confusion_figure(EVALUATION, long), mistakes_figure(mistakes)):
        with warnings.catch_warnings():
            # Where the names leave no room for the axes, Matplotlib gives up with a warning.
            warnings.simplefilter("error")
            svg = texts(figure)
        assert "aaaaaaaaa…aaaaaaaa<" in svg
        assert "golden" in svg
        figure.draw_without_rendering()
        for text in figure.findobj(Text):
            box = text.get_window_extent()
            if text.get_text():
                assert box.x0 >= 0, text
                assert box.y0 >= 0, text
                assert box.x1 <= figure.bbox.x1, text
                # With the space above a line, in which nothing is drawn.
                assert box.y1 <= figure.bbox.y1 + 4, text


def test_a_single_epoch_is_a_whole_number() -> None:
    figure = training_figure([replace(RECORD, epoch=1)], "test")
    render(figure, "training", ["svg"])
    assert all(label.get_text().isdecimal() for label in figure.axes[0].get_xticklabels())


def test_one_image_size_is_not_marked() -> None:
    assert " px" not in texts(training_figure([RECORD, replace(RECORD, epoch=2)], "test"))


def test_the_confusion_figure_shows_every_count() -> None:
    svg = texts(confusion_figure(EVALUATION, ("a", "b", "c")))
    for row in EVALUATION.confusion:
        for count in row:
            assert f">{count}<" in svg


def test_a_run_gets_its_curves(tmp_path: Path) -> None:
    run = state()
    run.recipe = run.recipe.changed(held_out=10)
    write_run_plots(tmp_path, run)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["training.png", "training.svg"]
