"""The panel of the model: its blocks, its accuracy, its training."""

import json

import pytest
from playwright.sync_api import Page, expect

from app.settings import BUNDLED_MODEL
from models.artifact.report import load_report
from models.artifact.store import read_metadata
from tests.support.artifacts import CLASSES
from tests.support.panels import open_model

METADATA = read_metadata(BUNDLED_MODEL)
REPORT = load_report(BUNDLED_MODEL)


@pytest.fixture
def model(blank_page: Page, server: str) -> Page:
    open_model(blank_page, server)
    return blank_page


def test_blocks_are_drawn_as_what_they_are(model: Page, server: str) -> None:
    layers = model.request.get(f"{server}/models/{METADATA.name}").json()["layers"]
    rows = model.locator(".blocks tbody tr")
    assert [row.locator("th").inner_text() for row in rows.all()] == [layer["name"] for layer in layers]
    residual = model.get_by_role("img", name="Residual block")
    expect(residual).to_have_count(8)
    expect(model.get_by_role("img", name="beside a 1×1 convolution")).to_have_count(3)
    expect(rows.first).to_contain_text("64 × 32 × 32")
    total = model.locator(".blocks tfoot").inner_text()
    assert "11.2 M" in total
    assert f"{sum(layer['multiply_adds'] for layer in layers) / 1e6:.0f} M" in total


def test_accuracy_is_shown_in_float_and_in_int8(model: Page) -> None:
    assert METADATA.int8 is not None
    figures = [METADATA.metrics, METADATA.int8.metrics]
    expected = {"all": [f"{each.accuracy:.2%}" for each in figures]}
    expected |= {name: [f"{each.per_class_accuracy[name]:.2%}" for each in figures] for name in CLASSES}
    rows = model.locator(".classes tbody tr").all()
    assert {
        row.locator("th").inner_text(): row.locator(".number").all_inner_texts() for row in rows
    } == expected
    expect(model.locator(".classes .worst")).to_have_count(1)
    expect(model.locator("tr", has=model.locator(".worst"))).to_contain_text("cat")
    words = "Of 10,000 test images int8 gets {1} right, float32 {0}.".format(*expected["all"])
    expect(model.locator("#model-card")).to_contain_text(words)


def test_confusion_holds_every_count(model: Page) -> None:
    rows = model.locator(".confusion tbody tr").all()
    shown = [[int(text) for text in row.locator("td").all_inner_texts()] for row in rows]
    assert shown == REPORT.evaluation.confusion
    count, one, other = max(
        (count, one, other)
        for one, row in zip(CLASSES, REPORT.evaluation.confusion, strict=True)
        for other, count in zip(CLASSES, row, strict=True)
        if one != other
    )
    caption = model.locator(".confusion caption")
    expect(caption).to_contain_text(f"Most often, {count} times, {one} is taken for {other}.")


@pytest.mark.parametrize(
    ("confusion", "shown"),
    [
        ("[[7]]", "No test image is taken for another class."),
        ("[[7, 0], [0, 3]]", "No test image is taken for another class."),
        ("[[7, 0], [1, 3]]", "Most often, once, c1 is taken for c0."),
        (
            "Array.from({ length: 1000 }, (_, row) => Array.from({ length: 1000 }, (_, at) => row + 2 * at))",
            "c998 is taken for c999: 2996 times",
        ),
    ],
    ids=["one class", "no mistake", "one mistake", "a thousand classes"],
)
def test_confusion_of_few_and_of_many(page: Page, confusion: str, shown: str) -> None:
    text = page.evaluate(
        f"""import("/static/model/confusion.js").then(({{ confusionTable }}) => {{
            const confusion = {confusion};
            return confusionTable(confusion.map((_, index) => `c${{index}}`), {{ confusion }}).textContent;
        }})"""
    )
    assert shown in text
    assert len(text) < 1000


def test_a_report_that_cannot_be_read_leaves_the_rest(
    blank_page: Page, server: str, expected_errors: list[str]
) -> None:
    expected_errors.append("status of 404")
    unknown = {"error": {"code": "no_report", "message": "of another kind", "field": None}}
    blank_page.route("**/report", lambda route: route.fulfill(status=404, json=unknown))
    open_model(blank_page, server)
    expect(blank_page.locator("#model-card")).to_contain_text("This model has no report")


def test_a_report_that_does_not_come_is_asked_for_again(
    blank_page: Page, server: str, expected_errors: list[str]
) -> None:
    expected_errors.append("net::ERR_FAILED")
    blank_page.route("**/report", lambda route: route.abort(), times=1)
    blank_page.goto(f"{server}/#model-card")
    blank_page.get_by_role("button", name="Try again").press("Enter")
    expect(blank_page.locator("#model-card")).to_be_focused()
    expect(blank_page.locator(".confusion")).to_be_visible()


def test_calibration_is_drawn(model: Page) -> None:
    off = METADATA.metrics.expected_calibration_error
    chart = model.get_by_role("img", name=f"on average its percentages are off by {off * 100:.1f} points")
    heights = chart.locator("rect").evaluate_all("bars => bars.map((bar) => bar.height.baseVal.value)")
    accuracies = REPORT.evaluation.bin_accuracy
    assert heights == pytest.approx([share * heights[-1] / accuracies[-1] for share in accuracies], abs=0.1)


def test_curves_go_through_every_epoch(model: Page) -> None:
    last = REPORT.history[-1]
    accuracy = model.get_by_role("img", name="Accuracy: at the end")
    expect(accuracy).to_have_attribute(
        "aria-label",
        "Accuracy: at the end "
        f"training {last.train_accuracy * 100:.3g}%, held out {last.watched_accuracy * 100:.3g}%",
    )
    for path in accuracy.locator("path").all():
        assert (path.get_attribute("d") or "").count("L") == len(REPORT.history) - 1


def test_recipe_leaves_nothing_out(model: Page) -> None:
    terms = model.locator(".facts-list dt").all_inner_texts()
    names = {term.lower().replace(" ", "_") for term in terms}
    assert set(METADATA.recipe) <= names
    facts = dict(zip(terms, model.locator(".facts-list dd").all_inner_texts(), strict=True))
    assert facts["Batch size"] == json.dumps(METADATA.recipe["batch_size"])
    operations = facts["Augmentation"].split("; ")
    stored = METADATA.recipe["augmentation"]
    assert isinstance(stored, list)
    assert operations[:2] == [
        "random_crop, padding 4, padding mode reflect",
        "zoom, probability 0.25, area 0.4 to 2, ratio 0.75 to 1.333",
    ]
    expected = [operation["name"] for operation in stored if isinstance(operation, dict)]
    assert [operation.split(", ")[0] for operation in operations] == expected


def test_worst_mistakes_are_shown(model: Page) -> None:
    assert REPORT.mistakes is not None
    mistakes = model.locator(".mistakes li")
    expect(mistakes).to_have_count(12)
    first = REPORT.mistakes[0]
    expect(mistakes.first).to_have_text(
        f"{first.true_class} taken for {first.answer}, {first.probability:.1%}"
    )
    for image in mistakes.locator("img").all():
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 32


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 1, [0, 0.25, 0.5, 0.75, 1]), (0, 0, [0, 1]), (3, 3, [3, 4]), (-5, 42, [-20, 0, 20, 40, 60])],
)
def test_axes_have_round_numbers(page: Page, low: float, high: float, ticks: list[float]) -> None:
    chart = "import('/static/shared/charts/lines.js')"
    nice = f"([low, high]) => {chart}.then(({{ niceTicks }}) => niceTicks(low, high))"
    assert page.evaluate(nice, [low, high]) == ticks
