import numpy as np
import pytest
import torch

from training.evaluation.evaluate import evaluate
from training.report.confusion import SHOWN, shown_confusion
from training.report.plots import confusion_figure


def test_a_few_classes_are_all_shown() -> None:
    shown = shown_confusion([[3, 1], [0, 2]], ("a", "b"))
    assert (shown.classes, shown.counts, shown.totals, shown.note) == (
        ("a", "b"),
        [[3, 1], [0, 2]],
        [4, 2],
        "",
    )


def test_of_many_classes_the_most_confused_are_shown_in_their_order() -> None:
    classes = [f"class {number}" for number in range(101)]
    counts = np.diag(np.full(101, 50))
    confused = [3 * number for number in range(SHOWN)]
    for place, number in enumerate(confused):
        counts[number, confused[place - 1]] = 7
    shown = shown_confusion(counts.tolist(), classes)
    assert shown.classes == tuple(classes[number] for number in confused)
    assert shown.totals == [57] * SHOWN
    assert np.trace(shown.counts) == 50 * SHOWN
    assert shown.counts[5][4] == 7
    assert shown.note == "the 30 of 101 classes that are most often confused"


@pytest.mark.parametrize("count", [101, 1000])
def test_the_figure_of_many_classes_is_no_larger_than_that_of_thirty(count: int) -> None:
    """What is drawn, and how large, is bounded, and with it memory: it was a million texts of 1,000."""

    def drawn(classes: int) -> tuple[int, int, tuple[float, ...]]:
        logits = torch.randn(2 * classes, classes, generator=torch.Generator().manual_seed(0))
        names = tuple(f"class {number}" for number in range(classes))
        evaluation = evaluate(logits, torch.arange(2 * classes) % classes, names, 1.0)
        figure = confusion_figure(evaluation, names)
        (ax,) = figure.axes
        cells = ax.images[0].get_array()
        assert cells is not None
        return len(figure.findobj()), cells.size, tuple(figure.get_size_inches())

    assert drawn(count) == drawn(SHOWN)
