"""From an image to its bars: samples, several files, results in words."""

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect

from app.settings import BUNDLED_MODEL
from models.artifact.store import read_metadata
from tests.support.artifacts import CLASSES
from tests.support.panels import classify_sample


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "holiday.jpg"
    Image.linear_gradient("L").resize((320, 200)).convert("RGB").save(path)
    return path


def percentages(page: Page) -> list[float]:
    return [float(text.strip("<>%")) for text in page.locator(".bars .value").all_inner_texts()]


def test_sample_click_shows_the_five_most_probable_classes(page: Page) -> None:
    classify_sample(page, "frog")
    expect(page.get_by_role("heading", name="Sample: frog")).to_be_visible()
    assert set(page.locator(".bars .label").all_inner_texts()) <= set(CLASSES)
    shares = percentages(page)
    assert shares == sorted(shares, reverse=True)
    assert 20 <= shares[0] + sum(shares[1:]) <= 100.3


def test_bars_are_as_long_as_their_percentages(page: Page) -> None:
    classify_sample(page, "frog")
    for share, bar in zip(percentages(page), page.locator(".bars .track").all(), strict=True):
        track, fill = bar.bounding_box(), bar.locator(".fill").bounding_box()
        assert track is not None
        assert fill is not None
        assert fill["width"] / track["width"] == pytest.approx(share / 100, abs=0.01)


def test_card_states_size_model_and_time_per_stage(page: Page, photo: Path) -> None:
    page.locator("#files").set_input_files(photo)
    expect(page.locator(".bars li")).to_have_count(5)
    expect(page.locator(".more .facts")).to_have_text("320 × 200 pixels")
    summary = page.locator(".more summary")
    expect(summary).to_have_text(re.compile(r"^\d+\.\d+ ms by resnet18-cifar10, version 1$"))
    summary.click()
    assert page.locator(".timings dt").all_inner_texts()[-1] == "total"
    for time in page.locator(".timings dd").all_inner_texts():
        assert re.fullmatch(r"\d+\.\d+ ms", time)


def test_thumbnail_shows_the_file(page: Page, photo: Path) -> None:
    page.locator("#files").set_input_files(photo)
    expect(page.locator(".bars li")).to_have_count(5)
    thumbnail = page.locator("img.thumbnail")
    assert thumbnail.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [320, 200]
    expect(thumbnail).not_to_have_class(re.compile("sharp"))


def test_several_files_get_a_card_each_in_their_order(page: Page, photo: Path, tmp_path: Path) -> None:
    paths = [photo]
    for number in range(6):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (40 + number, 40), (40 * number, 0, 0)).save(path)
        paths.append(path)
    page.locator("#files").set_input_files(paths)
    expect(page.locator("#status")).to_have_text("7 of 7 images classified")
    assert page.locator(".card h3").all_inner_texts() == [path.name for path in paths]
    assert page.locator(".more .facts").nth(6).text_content() == "45 × 40 pixels"
    expect(page.locator(".bars li")).to_have_count(35)


def test_result_is_announced_in_words(page: Page) -> None:
    status = page.locator("#status")
    page.get_by_role("button", name="ship").click()
    expect(status).to_have_text(re.compile(r"^[a-z]+, [<>]?\d+\.\d%$"))
    best = page.locator(".bars li").first
    expect(status).to_have_text(
        f"{best.locator('.label').inner_text()}, {best.locator('.value').inner_text()}"
    )


def test_of_two_quick_choices_the_later_one_counts(page: Page) -> None:
    def hold(route: Route, request: Request) -> None:
        """Leave the first request unanswered."""

    page.route("**/predict", hold, times=1)
    with page.expect_request("**/predict"):
        page.get_by_role("button", name="cat").click()
    page.get_by_role("button", name="dog").click()
    expect(page.locator(".bars li")).to_have_count(5)
    expect(page.locator(".card")).to_have_count(1)
    expect(page.get_by_role("heading", name="Sample: dog")).to_be_visible()
    expect(page.locator("[aria-pressed=true]")).to_have_text("dog")


def test_same_file_can_be_picked_twice(page: Page, photo: Path) -> None:
    for _ in range(2):
        with page.expect_response("**/predict"):
            page.locator("#files").set_input_files(photo)


def test_there_is_a_sample_for_every_class(page: Page) -> None:
    samples = page.locator("#classify [data-sample]")
    expect(samples).to_have_count(len(CLASSES))
    assert tuple(samples.all_inner_texts()) == CLASSES
    for image in samples.locator("img").all():
        assert image.evaluate("image => image.naturalWidth") == 32


def test_verdict_says_how_sure_the_model_is(page: Page) -> None:
    classify_sample(page, "cat")
    expect(page.locator(".verdict")).to_have_text("cat very sure")
    expect(page.locator("#known")).to_contain_text("knows airplane, automobile, bird")


@pytest.mark.parametrize("familiar", [True, False, None])
def test_an_unfamiliar_picture_is_said_to_be_one(page: Page, familiar: bool | None) -> None:
    def answer(route: Route) -> None:
        content = route.fetch().json()
        content["predictions"][0]["familiar"] = familiar
        route.fulfill(json=content)

    page.route("**/predict*", answer)
    classify_sample(page, "cat")
    expect(page.locator(".verdict")).to_contain_text("cat")
    words = page.get_by_text("Unlike the pictures that the model knows")
    expect(words).to_be_visible(visible=familiar is False)


def test_image_is_shown_as_the_network_sees_it(page: Page, photo: Path) -> None:
    page.locator("#files").set_input_files(photo)
    seen = page.get_by_role("img", name="The image as the network sees it")
    expect(seen).to_be_visible()
    assert seen.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [32, 32]
    expect(page.locator(".seen figcaption")).to_have_text("As the network sees it, 32 × 32")


def test_header_states_the_model_and_links_to_the_documentation(page: Page, server: str) -> None:
    about = read_metadata(BUNDLED_MODEL)
    assert about.int8 is not None
    accuracy = about.int8.metrics.accuracy  # of what answers
    expect(page.locator("#model p")).to_have_text(
        f"resnet18-cifar10, version 1: {accuracy:.1%} right on 10,000 test images"
    )
    expect(page.locator("#model select")).to_be_hidden()
    address = page.get_by_role("link", name="API docs").get_attribute("href")
    assert page.request.get(f"{server}/{address}").ok


def test_link_shows_the_sample_again(page: Page, server: str) -> None:
    classify_sample(page, "truck")
    assert page.url == f"{server}/#classify?sample=truck"
    page.goto(f"{server}/#classify?sample=ship")
    expect(page.get_by_role("heading", name="Sample: ship")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Sample: truck")).to_be_visible()


def test_percentages_are_never_rounded_to_certainty(page: Page) -> None:
    shares = {0: "0.0%", 0.0004: "<0.1%", 0.1234: "12.3%", 0.9994: "99.9%", 0.99951: ">99.9%", 1: "100.0%"}
    percent = "share => import('/static/shared/words.js').then(({ percent }) => percent(share))"
    assert {share: page.evaluate(percent, share) for share in shares} == shares


def test_of_a_thousand_classes_the_first_ones_are_named(page: Page) -> None:
    listed = (
        "count => import('/static/shared/words.js').then(({ listed }) => listed([...Array(count).keys()]))"
    )
    assert page.evaluate(listed, 2) == "0, 1"
    assert page.evaluate(listed, 20).endswith("18, 19")
    assert page.evaluate(listed, 1_020).endswith("18, 19 and 1,000 more")


@pytest.mark.parametrize("label", ["<b>cat</b>", "חתול"])
def test_a_label_is_shown_as_it_is_and_moves_no_number(page: Page, label: str) -> None:
    """Hebrew is written from right to left, and would have the number behind it stand before it."""
    drawn = page.evaluate(
        """label => import("/static/augment/tiles.js").then(({ createTiles }) => {
            const grid = document.createElement("ol");
            document.querySelector("#classify").append(grid);
            const prediction = { label, probability: 0.5 };
            const tiles = [{ image: "", prediction }];
            createTiles(grid, document.createElement("p")).show({ cols: 1, original: null, tiles });
            const text = grid.querySelector(".says").firstChild;
            const left = (start, end) => {
                const range = document.createRange();
                range.setStart(text, start);
                range.setEnd(text, end);
                return range.getBoundingClientRect().left;
            };
            const at = text.data.indexOf(label);
            const places = [left(at, at + 1), left(text.data.length - 5, text.data.length)];
            grid.remove();
            return { text: text.data, inOrder: places[0] < places[1] };
        })""",
        label,
    )
    assert drawn["text"].replace("\u2068", "").replace("\u2069", "") == f"{label} 50.0%"
    assert drawn["inOrder"]
