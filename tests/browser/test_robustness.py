"""The part of the model's panel that shows the accuracy on corrupted and otherwise changed images."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from models.artifact.amend import amend_artifact
from models.artifact.robustness import FILE_NAME, Robustness
from models.artifact.store import read_metadata
from tests.support.panels import classify_sample, open_page
from tests.support.robustness import made_up

TITLE = "Accuracy on changed images"


@pytest.fixture
def stored(request: pytest.FixtureRequest, lenet_folder: Path) -> Robustness | None:
    return made_up(read_metadata(lenet_folder)) if request.param else None


@pytest.fixture
def model(
    blank_page: Page, server: str, repository: Path, lenet_folder: Path, stored: Robustness | None
) -> Iterator[Page]:
    """The panel of a model with the figures `stored`."""
    folder = repository / "lenet-noise" / "1"
    shutil.copytree(lenet_folder, folder)
    if stored is not None:
        amend_artifact(folder, {FILE_NAME: stored.model_dump_json().encode()})
    control = f"{server}/v2/repository/models/lenet-noise"
    assert httpx.post(f"{control}/load", timeout=60).is_success
    open_page(blank_page, server)
    classify_sample(blank_page, "cat")
    blank_page.locator("#model select").select_option("lenet-noise, version 1")
    blank_page.get_by_role("tab", name="Model", exact=True).click()
    expect(blank_page.locator(".blocks")).to_be_visible()
    expect(blank_page.locator("#model-card")).to_contain_text("This model has no report")
    yield blank_page
    assert httpx.post(f"{control}/unload", timeout=60).is_success
    shutil.rmtree(folder.parent)


@pytest.mark.parametrize("stored", [True], indirect=True)
def test_every_figure_is_shown(model: Page, stored: Robustness) -> None:
    expect(model.get_by_role("heading", name=TITLE)).to_be_visible()
    card = model.locator("#model-card")
    mean = stored.mean_corrupted["float32"]
    expect(card).to_contain_text(
        f"Of 1,234 test images 95.0% are classified correctly as they are, and {mean:.1%}"
    )
    rows = {
        row.locator("th").inner_text().split("\n")[0].lower().replace(" ", "_"): row
        for row in model.locator(".robustness tbody tr:not(:has(.kind))").all()
    }
    assert list(rows) == list(dict.fromkeys(each.name.replace(" ", "_") for each in stored.conditions))
    for name, row in rows.items():
        own = [each for each in stored.conditions if each.name.replace(" ", "_") == name]
        accuracies = [each.figures["float32"].accuracy for each in own]
        assert row.locator(".number").first.inner_text() == f"{sum(accuracies) / len(own) * 100:.1f}%"
        if len(own) > 1:
            levels = row.locator(".levels").inner_text().replace("\u00a0", " ").split(" · ")
            assert levels == [
                f"{each.level}: {round(accuracy * 100, 1):g}%"
                for each, accuracy in zip(own, accuracies, strict=True)
            ]
    severities = model.get_by_role("img", name="Accuracy by severity of the 15 corruptions")
    assert (severities.locator("path").get_attribute("d") or "").count("L") == 4
    qualities = model.get_by_role("img", name="Accuracy by quality of the file")
    expect(qualities.locator("path")).to_have_count(2)


@pytest.mark.parametrize("stored", [False], indirect=True)
def test_without_them_there_is_no_trace(model: Page) -> None:
    expect(model.locator("#model-card .part").last).to_contain_text("Recipe")
    expect(model.get_by_role("heading", name=TITLE)).to_have_count(0)
