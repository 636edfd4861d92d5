import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from models.artifact.report import Mistake, load_report
from models.artifact.store import load_artifact
from tests.conftest import REPOSITORY
from training.report.page import report_page

BUNDLED = REPOSITORY / "models" / "weights" / "resnet18-cifar10" / "1"
SECTIONS = (
    "Training",
    "Accuracy per class",
    "Confusion",
    "Calibration",
    "The worst mistakes",
    "Augmentation",
    "Recipe",
    "Hardware and cost",
    "Limits of use",
)


class Elements(HTMLParser):
    """Every start tag with its attributes, and that all elements are closed in order."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.opened: list[str] = []
        self.feed(page)
        assert self.opened == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


def test_the_page_has_every_section_and_needs_nothing_else(exported: Path) -> None:
    report = load_report(exported)
    page = report_page(load_artifact(exported), report)
    assert tuple(re.findall("<h2>(.*?)</h2>", page)) == SECTIONS
    elements = Elements(page).found
    assert "script" not in {tag for tag, _ in elements}
    sources = [value for _, attributes in elements for name, value in attributes.items() if name == "src"]
    assert sources
    assert all(source is not None and source.startswith("data:image/") for source in sources)
    assert not any({"href", "srcset", "onload"} & attributes.keys() for _, attributes in elements)
    style = page.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "prefers-color-scheme: dark" in style
    assert all(attributes.get("alt") for tag, attributes in elements if tag == "img")
    assert report.augmentation is not None
    assert all(picture in page for sample in report.augmentation for picture in sample.augmented)
    assert "not measured" in page


def test_the_worst_mistakes_are_shown_with_their_answers(exported: Path) -> None:
    loaded, report = load_artifact(exported), load_report(exported)
    assert report.augmentation is not None
    mistake = Mistake(7, "bright", "dark", 0.987, 0.0123, report.augmentation[0].original)
    page = report_page(loaded, replace(report, mistakes=[mistake]))
    assert "<strong>bright</strong> taken for <strong>dark</strong>" in page
    assert "98.70%, the true class 1.23%; test image 7" in page
    assert page.count(mistake.picture) == 2
    assert "every test image is classified correctly" in report_page(loaded, replace(report, mistakes=[]))


def test_an_older_artifact_gets_a_page_that_says_what_is_absent() -> None:
    bundled = load_artifact(BUNDLED)
    page = report_page(bundled, replace(load_report(BUNDLED), mistakes=None, augmentation=None))
    assert page.count("Absent: the artifact was exported before") == 2
    assert f"{bundled.metadata.metrics.accuracy:.2%}" in page
    assert bundled.metadata.int8 is not None
    assert f"{bundled.metadata.int8.metrics.accuracy:.2%}" in page
    Elements(page)


def test_every_text_of_the_artifact_is_escaped(exported: Path) -> None:
    loaded, report = load_artifact(exported), load_report(exported)
    evil = '<script>alert("&")</script>'
    classes = (evil, *loaded.metadata.classes[1:])
    accuracies = dict.fromkeys(classes, 0.5)
    metadata = loaded.metadata.model_copy(
        update={
            "name": evil,
            "hardware": evil,
            "classes": classes,
            "metrics": loaded.metadata.metrics.model_copy(update={"per_class_accuracy": accuracies}),
            "int8": None,
            "recipe": {**loaded.metadata.recipe, "name": evil},
            "dataset": loaded.metadata.dataset.model_copy(update={"name": evil}),
        }
    )
    assert report.augmentation is not None
    samples = [replace(sample, true_class=evil, original='"><script>') for sample in report.augmentation]
    page = report_page(replace(loaded, metadata=metadata), replace(report, augmentation=samples))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 6
    Elements(page)
