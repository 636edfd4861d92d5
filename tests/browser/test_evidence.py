"""Why the model says so: the heat map over the image, of any class."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.artifacts import CLASSES
from tests.support.panels import classify_sample, open_page

COLOURS = """canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    const sums = [0, 0, 0, 0];
    data.forEach((value, index) => { sums[index % 4] += value; });
    return { sums, first: [...data.slice(0, 4)], shown: canvas.checkVisibility() };
}"""


def test_evidence_is_laid_over_the_image_and_taken_away(page: Page, server: str) -> None:
    classify_sample(page, "cat")
    toggle = page.get_by_role("button", name="Show why")
    with page.expect_response("**/explain?class=cat") as answer:
        toggle.click()
    assert answer.value.ok
    heat = page.get_by_role("img", name="Evidence for cat: strongest in the ")
    expect(heat).to_be_visible()
    expect(toggle).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".legend")).to_have_text("Orange speaks for “cat”, blue against it.")
    image = page.locator(".layers img")
    assert heat.bounding_box() == image.bounding_box()
    red, _, blue, opacity = heat.evaluate(COLOURS)["sums"]
    assert opacity > 0
    assert red > blue  # a cat it is, so more speaks for it than against it
    assert page.url == f"{server}/#classify?sample=cat&why=cat"
    toggle.click()
    expect(heat).to_be_hidden()
    expect(page.locator(".legend")).to_be_hidden()
    assert page.url == f"{server}/#classify?sample=cat"


def test_evidence_of_any_class_can_be_seen(page: Page) -> None:
    classify_sample(page, "dog")
    page.get_by_role("button", name="Show why").click()
    choice = page.locator(".evidence select")
    options = choice.locator("option").all_inner_texts()
    assert options[:5] == page.locator(".bars .label").all_inner_texts()
    assert sorted(options) == sorted(CLASSES)
    heat = page.locator("canvas")
    drawn = set()
    for name in (options[0], options[-1]):
        choice.select_option(name)
        expect(page.locator(".legend")).to_contain_text(f"“{name}”")
        drawn.add(str(heat.evaluate(COLOURS)["sums"]))
    assert len(drawn) == 2


def test_link_shows_the_evidence_again(blank_page: Page, server: str) -> None:
    open_page(blank_page, server, "#classify?sample=horse&why=deer")
    expect(blank_page.get_by_role("img", name="Evidence for deer")).to_be_visible()
    expect(blank_page.locator(".evidence select")).to_have_value("deer")


MAPS = {
    "peak": [[0, 0, 0], [0, 0, 4], [0, 0, 0]],
    "against": [[-1, -2], [-3, -4]],
    "even": [[0, 0], [0, 0]],
}


@pytest.mark.parametrize(
    ("map_", "place"),
    [("peak", "strongest in the right"), ("against", "there is none"), ("even", "there is none")],
)
def test_place_is_said_in_words(page: Page, map_: str, place: str) -> None:
    words = "map => import('/static/classify/heat.js').then(({ placeOf }) => placeOf(map))"
    assert page.evaluate(words, MAPS[map_]) == place


def test_colours_are_those_of_the_numbers(page: Page) -> None:
    draw = """map => import('/static/classify/heat.js').then(({ drawEvidence }) => {
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [3, 3];
        drawEvidence(canvas, map);
        return [...canvas.getContext("2d").getImageData(0, 0, 3, 3).data];
    })"""
    # At one pixel a cell the colours are the cells' own.
    pixels = page.evaluate(draw, [[4, 0, -4], [2, 0, -2], [0, 0, 0]])
    cells = [pixels[at : at + 4] for at in range(0, 36, 4)]
    strongest, half, none, against = cells[0], cells[3], cells[1], cells[2]
    assert strongest[0] > 200 > 50 > strongest[2]
    assert against[2] > 200 > 50 > against[0]
    assert none[3] == 0
    assert strongest[3] == against[3] == pytest.approx(2 * half[3], abs=2)


def test_an_input_that_was_refused_is_asked_for_again(page: Page, expected_errors: list[str]) -> None:
    expected_errors.append("status of 429")
    refused = {"error": {"code": "overloaded", "message": "try again later", "field": None}}
    page.route("**/augment-preview?*", lambda route: route.fulfill(status=429, json=refused), times=1)
    page.get_by_role("button", name="cat", exact=True).click()
    expect(page.locator(".legend")).to_have_text("Try again later.")
    page.get_by_role("button", name="Show why").click()
    expect(page.get_by_role("img", name="Evidence for cat: strongest in the ")).to_be_visible()
    expect(page.locator(".seen img")).to_be_visible()


def test_a_service_without_pytorch_offers_none_of_it(page: Page, expected_errors: list[str]) -> None:
    expected_errors.append("status of 501")
    refused = {"error": {"code": "pytorch_not_installed", "message": "this needs PyTorch", "field": None}}
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.route("**/augment-preview?*", lambda route: route.fulfill(status=501, json=refused))
    with page.expect_response("**/augment-preview?*"):
        page.get_by_role("button", name="cat", exact=True).click()
    for name in ("dog", "ship"):
        expect(page.locator(".bars li")).to_have_count(5)
        expect(page.locator(".actions")).to_be_attached()
        expect(page.get_by_role("button", name="Show why")).to_be_hidden()
        expect(page.get_by_role("button", name="Try to break it")).to_be_hidden()
        expect(page.locator(".legend")).to_be_hidden()
        page.get_by_role("button", name=name, exact=True).click()
        expect(page.get_by_role("heading", name=f"Sample: {name}")).to_be_visible()
    assert len([url for url in asked if "augment-preview" in url]) == 1
