import re
from pathlib import Path

import pytest

from models.artifact.report import load_report
from models.artifact.robustness import Robustness
from models.artifact.store import load_artifact
from tests.support.robustness import made_up
from tests.training.report.test_page import SECTIONS, Elements
from training.evaluation.corruptions import CORRUPTIONS
from training.report.model_card import model_card
from training.report.page import report_page
from training.report.plots import render
from training.report.robustness import grids, robustness_figure

TITLE = "Accuracy on changed images"


@pytest.fixture
def robustness(exported: Path) -> Robustness:
    return made_up(load_artifact(exported).metadata)


def test_grids_hold_every_condition_once_in_its_order(robustness: Robustness) -> None:
    for precision in ("float32", "int8"):
        own = grids(robustness, precision)
        assert [
            (row.name, level, accuracy)
            for grid in own
            for row in grid.rows
            for level, accuracy in zip(grid.levels, row.accuracies, strict=True)
        ] == [(each.name, each.level, each.figures[precision].accuracy) for each in robustness.conditions]
    corruptions = own[0]
    assert tuple(row.name for row in corruptions.rows) == tuple(CORRUPTIONS)
    assert sum(row.mean for row in corruptions.rows) / 15 == pytest.approx(robustness.mean_corrupted["int8"])
    assert corruptions.rows[0].changed == pytest.approx(0.05941)


def test_the_figure_names_all_that_happened_and_both_networks(robustness: Robustness) -> None:
    files = render(robustness_figure(robustness), "robustness")
    assert files == render(robustness_figure(robustness), "robustness")
    svg = files["robustness.svg"].decode()
    for name in {each.name.replace("_", " ") for each in robustness.conditions}:
        assert name in svg
    for text in ("float32, as they are: 95.0%", "int8, as they are: 94.9%", "quality 75"):
        assert text in svg


def test_page_and_card_show_every_figure(exported: Path, robustness: Robustness) -> None:
    loaded, report = load_artifact(exported), load_report(exported)
    page = report_page(loaded, report, robustness)
    card = model_card(loaded.metadata, report, robustness)
    assert tuple(re.findall("<h2>(.*?)</h2>", page)) == (*SECTIONS[:4], TITLE, *SECTIONS[4:])
    Elements(page)
    assert f"## {TITLE}" in card
    assert "![robustness](robustness.png)" in card
    for shown in (page, card):
        assert "1,234 test images" in shown
        for precision, mean in robustness.mean_corrupted.items():
            assert precision in shown
            assert f"{mean:.2%}" in shown
        for each in robustness.conditions:
            assert each.level in shown
            for figures in each.figures.values():
                assert f"{figures.accuracy:.1%}" in shown
    assert not re.search(r"\\$", card, re.MULTILINE)


def test_without_it_page_and_card_have_no_trace_of_it(exported: Path) -> None:
    loaded, report = load_artifact(exported), load_report(exported)
    for shown in (report_page(loaded, report, None), model_card(loaded.metadata, report, None)):
        assert TITLE not in shown
        assert "robustness" not in shown
