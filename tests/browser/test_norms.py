"""Batch norm, seen: the same image in either mode, and what a layer goes by."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.panels import open_norms

API = "models/resnet18-cifar10/batch-norm"


@pytest.fixture
def norms(blank_page: Page, server: str) -> Page:
    open_norms(blank_page, server, "image=cat&layer=stages.1.0.bn1&batch=7&seed=0")
    return blank_page


def test_predictions_are_those_of_the_api(norms: Page, server: str) -> None:
    answer = norms.request.get(f"{server}/{API}?sample=cat&layer=stages.1.0.bn1&batch=7&seed=0").json()
    predictions = answer["predictions"]
    rows = norms.locator(".company tbody tr")
    tops = [
        predictions["eval"],
        predictions["eval_with_neighbours"],
        *(each["top"] for each in predictions["training"]),
    ]
    expect(rows).to_have_count(len(tops))
    for row, top in zip(rows.all(), tops, strict=True):
        share = f"{top[0]['probability']:.1%}"
        assert row.locator("td").nth(2).inner_text() == f"{top[0]['label']} {share}"
    # What the panel is for: company counts in training mode, and in eval mode it does not.
    alone, among, *training = (row.locator("td").nth(2).inner_text() for row in rows.all())
    assert alone == among
    assert len(set(training)) > 1
    neighbours = predictions["training"][-1]["names"]
    portraits = rows.last.locator("img")
    assert [f"{image.get_attribute('alt')}.png" for image in portraits.all()] == neighbours
    expect(norms.locator(".company").locator("caption")).to_have_text("Predictions for Sample: cat")
    expect(norms.locator("#batch-norm .summary")).to_contain_text("in eval mode, whoever is beside it; from")


def test_histograms_are_as_high_as_their_counts(norms: Page, server: str) -> None:
    histogram = norms.request.get(f"{server}/{API}?sample=cat&layer=stages.1.0.bn1").json()["histogram"]
    charts = norms.locator("#batch-norm .chart").filter(has=norms.locator(".column"))
    expect(charts).to_have_count(3)
    for chart, key in zip(charts.all(), ("before", "training", "eval"), strict=True):
        heights = chart.locator("rect").evaluate_all("bars => bars.map((bar) => bar.height.baseVal.value)")
        most = max(histogram[key])
        assert heights == pytest.approx([count / most * max(heights) for count in histogram[key]], abs=0.1)


def test_channel_shows_its_own_statistics(norms: Page, server: str) -> None:
    statistics = norms.request.get(f"{server}/{API}?sample=cat&layer=stages.1.0.bn1").json()["statistics"]
    points = norms.locator("#batch-norm circle")
    expect(points).to_have_count(2 * len(statistics["batch_mean"]))
    norms.get_by_label("Values of").select_option("5")
    cells = norms.locator(".narrow td.number")
    expect(cells).to_have_count(4)
    shown = [float(text) for text in cells.all_inner_texts()]
    expected = [statistics[key][5] for key in ("batch_mean", "batch_var", "running_mean", "running_var")]
    assert shown == pytest.approx(expected, rel=0.01)
    assert parse_qs(urlsplit(norms.url).fragment)["channel"] == ["5"]


def test_every_layer_can_be_chosen(norms: Page) -> None:
    layer = norms.get_by_label("Layer")
    assert layer.locator("option").count() == 20
    with norms.expect_response("**/batch-norm?*layer=stages.3.1.bn2*") as answer:
        layer.select_option("stages.3.1.bn2")
    assert answer.value.ok
    expect(norms.get_by_label("Values of").locator("option")).to_have_count(513)


def test_neighbours_can_be_others_and_fewer(norms: Page) -> None:
    with norms.expect_response("**/batch-norm?*batch=1&*") as answer:
        norms.get_by_label("Neighbours").fill("1")
    assert len(answer.value.json()["neighbours"]["names"]) == 1
    expect(norms.locator(".company tbody tr")).to_have_count(3)
    with norms.expect_response("**/batch-norm?*batch=1&*") as answer:
        norms.get_by_role("button", name="Other neighbours").click()
    assert "seed=0&" not in answer.value.url


def test_own_image_is_looked_at(norms: Page, tmp_path: Path) -> None:
    path = tmp_path / "own.png"
    Image.effect_noise((60, 60), 60).convert("RGB").save(path)
    with norms.expect_file_chooser() as chooser:
        norms.get_by_role("button", name="Own image").click()
    with norms.expect_response("**/batch-norm?*") as answer:
        chooser.value.set_files(path)
    assert (answer.value.request.method, answer.value.json()["image"]) == ("POST", "own.png")
    expect(norms.locator("#batch-norm")).to_contain_text("own.png, among sample images.")


def test_image_follows_from_panel_to_panel(norms: Page) -> None:
    norms.get_by_role("tab", name="Augment").click()
    norms.get_by_role("button", name="ship", exact=True).click()
    expect(norms.locator("#augment .summary")).to_contain_text("ship")
    norms.get_by_role("tab", name="Batch norm").click()
    expect(norms.locator(".company caption")).to_have_text("Predictions for Sample: ship")
    assert parse_qs(urlsplit(norms.url).fragment)["layer"] == ["stages.1.0.bn1"]
    norms.go_back()
    expect(norms.get_by_role("tab", selected=True)).to_have_text("Augment")
