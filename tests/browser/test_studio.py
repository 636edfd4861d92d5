"""The augmentation studio: drag, see, ask the model, share."""

import base64
import io
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Page, Request, Route, expect

from app.settings import BUNDLED_MODEL
from models.artifact.store import read_metadata
from models.augmentations import AUGMENTATIONS
from models.training_augmentation import training_augmentation
from tests.support.panels import open_page, open_studio
from training.recipes import RECIPES

TILES = 8


def shown_query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).fragment.partition("?")[2])


def tile_sources(page: Page) -> list[str]:
    return [image.get_attribute("src") or "" for image in page.locator(".grid img").all()]


@pytest.fixture
def studio(blank_page: Page, server: str) -> Page:
    open_studio(blank_page, server, "image=cat")
    return blank_page


def test_tiles_are_those_of_the_api(studio: Page, server: str) -> None:
    expect(studio.locator(".grid img")).to_have_count(TILES)
    query = "image=cat&ops=horizontal_flip,random_crop&rows=2&cols=4&seed=0&scale=1&format=json"
    tiles = studio.request.get(f"{server}/augment-preview?{query}").json()["tiles"]
    assert tile_sources(studio) == [tile["image"] for tile in tiles]


def test_every_operation_is_offered_and_draws(studio: Page) -> None:
    boxes = studio.locator("#augment [name=ops]")
    assert boxes.evaluate_all("boxes => boxes.map((box) => box.value)") == list(AUGMENTATIONS)
    for name in ("horizontal_flip", "random_crop"):
        studio.locator(f"[value={name}]").uncheck()
    for name in AUGMENTATIONS:
        with studio.expect_response(f"**/augment-preview?*ops={name}&*") as answer:
            studio.locator(f"[value={name}]").check()
        assert answer.value.ok
        with studio.expect_response("**/augment-preview?*ops=&*"):
            studio.locator(f"[value={name}]").uncheck()
    expect(studio.locator(".summary")).to_have_text(f"{TILES} of {TILES} still “cat”")
    # The summary may be the same before the tiles are drawn anew.
    studio.wait_for_function(
        "() => new Set(Array.from(document.querySelectorAll('.grid img'), (tile) => tile.src)).size === 1"
    )


def test_dragging_a_range_redraws_and_outdated_answers_are_dropped(studio: Page) -> None:
    asked: list[Request] = []

    def hold(_: Route, request: Request) -> None:
        """Leave the first request unanswered: a later one must not wait for it, nor be undone by it."""
        asked.append(request)

    studio.route("**/augment-preview?*random_crop.padding=5*", hold)
    before = tile_sources(studio)
    padding = studio.get_by_label("Padding", exact=True)
    padding.focus()
    with studio.expect_request("**/augment-preview?*random_crop.padding=5*"):
        studio.keyboard.press("ArrowRight")
    with studio.expect_response("**/augment-preview?*random_crop.padding=9*"):
        for _ in range(4):
            studio.keyboard.press("ArrowRight")
    expect(studio.locator(".grid img").first).not_to_have_attribute("src", before[0])
    assert asked[0].failure == "net::ERR_ABORTED"
    expect(studio.locator(".control output").nth(1)).to_have_text("9")
    assert shown_query(studio)["random_crop.padding"] == ["9"]


def test_ends_of_a_range_push_each_other(blank_page: Page, server: str) -> None:
    open_studio(blank_page, server, "ops=random_resized_crop&random_resized_crop.scale=0.2,0.5")
    lowest = blank_page.get_by_label("Scale, lowest")
    expect(lowest).to_have_value("0.2")
    lowest.fill("0.8")
    expect(blank_page.get_by_label("Scale, highest")).to_have_value("0.8")
    with blank_page.expect_response("**/augment-preview?*scale=0.9,0.9&*") as answer:
        lowest.fill("0.9")
    assert answer.value.ok
    assert shown_query(blank_page)["random_resized_crop.scale"] == ["0.9,0.9"]


def test_share_of_kept_labels_is_that_of_the_tiles(blank_page: Page, server: str) -> None:
    open_studio(blank_page, server, "image=dog&ops=cutout&cutout.size=10&rows=4&cols=4")
    expect(blank_page.locator(".grid img")).to_have_count(16)
    labels = [text.split()[0] for text in blank_page.locator(".says").all_inner_texts()]
    broken = blank_page.locator(".grid .broken")
    assert 0 < broken.count() < 16
    assert broken.count() == sum(label != "dog" for label in labels)
    expect(blank_page.locator(".summary")).to_have_text(f"{labels.count('dog')} of 16 still “dog”")
    assert "no longer the same" in (broken.first.get_attribute("aria-label") or "")


def test_tiles_without_the_model(studio: Page) -> None:
    with studio.expect_response("**/augment-preview?*predict=false*"):
        studio.get_by_label("Classify every tile").uncheck()
    expect(studio.locator(".summary")).to_have_text("8 variations, drawn by the code that training runs")
    expect(studio.locator(".says").first).to_be_empty()
    assert shown_query(studio)["predict"] == ["false"]


def test_tile_shows_what_was_drawn_for_it(studio: Page, server: str) -> None:
    query = "image=cat&ops=horizontal_flip,random_crop&format=json"
    drawn = studio.request.get(f"{server}/augment-preview?{query}").json()["tiles"][2]["parameters"]
    tile = studio.get_by_role("button", name="Tile 3:")
    tile.click()
    description = studio.locator(".drawn .note")
    expect(description).to_have_text(
        f"Tile 3. Horizontal flip: flip {'yes' if drawn['horizontal_flip.flip'] else 'no'};"
        f" Random crop: top {drawn['random_crop.top']}; Random crop: left {drawn['random_crop.left']}."
    )
    expect(tile).to_have_attribute("aria-pressed", "true")
    tile.click()
    expect(description).to_have_text("Choose a tile to see what was drawn for it.")


def test_link_reproduces_the_picture(studio: Page) -> None:
    studio.get_by_role("button", name="frog", exact=True).click()
    studio.locator("[value=color_jitter]").check()
    studio.get_by_label("Rows").fill("3")
    studio.get_by_label("Columns").fill("5")
    studio.get_by_label("Hue").fill("0.5")
    studio.get_by_role("button", name="New seed").click()
    expect(studio.locator(".grid img")).to_have_count(15)
    expect(studio.locator(".summary")).to_contain_text("frog")
    seed = studio.get_by_label("Seed").input_value()
    studio.wait_for_function("seed => location.hash.includes(`seed=${seed}&`)", arg=seed)
    with studio.expect_response("**/augment-preview?*"):
        studio.get_by_label("Classify every tile").uncheck()
    expect(studio.locator(".says").first).to_be_empty()
    sources, address = tile_sources(studio), studio.url
    studio.goto("about:blank")
    studio.goto(address)
    expect(studio.locator(".grid img")).to_have_count(15)
    assert tile_sources(studio) == sources
    assert studio.url == address
    assert studio.get_by_label("Hue").input_value() == "0.5"


def test_preset_is_what_the_model_was_trained_with(studio: Page) -> None:
    expected = training_augmentation(read_metadata(BUNDLED_MODEL).recipe)
    with studio.expect_response("**/augment-preview?*") as answer:
        studio.get_by_role("button", name="As this model was trained").click()
    query = parse_qs(urlsplit(answer.value.url).query)
    assert query["ops"] == [",".join(name for name, _ in expected.operations)]
    for name, operation in expected.operations:
        for key, value in vars(operation).items():
            (sent,) = query[f"{name}.{key}"]
            if isinstance(value, tuple):
                assert [float(bound) for bound in sent.split(",")] == list(value)
            else:
                assert sent == str(value)


def test_recipe_is_python_that_training_takes(studio: Page) -> None:
    studio.locator("[value=random_erasing]").check()
    studio.locator("details summary").click()
    recipe = studio.get_by_role("region", name="recipe")
    expect(recipe).to_contain_text("RandomErasing(")
    names: dict[str, object] = {}
    code = recipe.inner_text().replace("augmentation=", "augmentation = (").rstrip(",") + ")"
    exec(code, names)
    lesson = next(iter(RECIPES.values()))
    assert type(names["augmentation"]) is type(lesson.augmentation)
    described = repr(names["augmentation"])
    for part in ("HorizontalFlip(probability=0.5)", "RandomCrop(padding=4", "ratio=(0.3, 3.3)"):
        assert part in described


def test_copied_command_gives_the_grid(studio: Page, server: str) -> None:
    studio.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server)
    studio.locator("details summary").click()
    studio.get_by_role("button", name="Copy curl").click()
    expect(studio.get_by_text("Copied.")).to_be_visible()
    command = studio.evaluate("navigator.clipboard.readText()")
    assert command.startswith(f'curl -o grid.png "{server}/augment-preview?ops=horizontal_flip,random_crop&')
    answer = studio.request.get(command.split('"')[1])
    assert answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.body())) as grid:
        assert grid.size == (4 * 130 + 2, 2 * 130 + 2)


def test_copying_without_a_clipboard_selects_the_text(studio: Page) -> None:
    studio.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    studio.locator("details summary").click()
    studio.get_by_role("button", name="Copy recipe").click()
    expect(studio.get_by_text("Selected: copy it with the keyboard.")).to_be_visible()
    assert "from models.augmentations import Compose" in studio.evaluate("getSelection().toString()")


def test_grid_is_downloaded_as_png(studio: Page) -> None:
    studio.locator("details summary").click()
    with studio.expect_download() as download:
        studio.get_by_role("button", name="Download PNG").click()
    assert download.value.suggested_filename == "augmentations.png"
    with Image.open(download.value.path()) as grid:
        assert (grid.format, grid.size) == ("PNG", (4 * 258 + 2, 2 * 258 + 2))


def test_own_image_is_varied_and_sent_once(studio: Page, tmp_path: Path) -> None:
    path = tmp_path / "own.png"
    Image.effect_noise((120, 90), 60).convert("RGB").save(path)
    sent: list[Request] = []
    studio.on("request", lambda request: sent.append(request))
    with studio.expect_file_chooser() as chooser:
        studio.get_by_role("button", name="Own image").click()
    chooser.value.set_files(path)
    expect(studio.locator("#augment")).to_contain_text("own.png. A link cannot carry your own image")
    with studio.expect_response("**/augment-preview?*seed=77*") as answer:
        studio.get_by_label("Seed").fill("77")
    # The same as the whole file gives.
    tiles = answer.value.json()["tiles"]
    again = studio.request.post(
        answer.value.url,
        multipart={"file": {"name": "own.png", "mimeType": "image/png", "buffer": path.read_bytes()}},
    )
    assert again.json()["tiles"] == tiles
    sizes = [int(request.all_headers().get("content-length", 0)) for request in sent]
    assert sum(size > path.stat().st_size for size in sizes) == 1
    assert "image" not in shown_query(studio)
    with Image.open(io.BytesIO(base64.b64decode(tiles[0]["image"].partition(",")[2]))) as tile:
        assert tile.size == (32, 32)


def test_operations_are_ranked_by_what_they_break(blank_page: Page, server: str) -> None:
    open_studio(blank_page, server, "image=dog")
    blank_page.get_by_role("button", name="Try each operation alone").click()
    rows = blank_page.locator(".survey li")
    expect(rows).to_have_count(len(AUGMENTATIONS))
    expect(blank_page.locator(".survey-part .note")).to_contain_text("How many of 16 tiles stay “dog”")
    shares = [int(text.rstrip("%")) for text in rows.locator(".value").all_inner_texts()]
    assert shares == sorted(shares)
    assert shares[0] < 100
    worst = rows.first.locator(".label").inner_text()
    with blank_page.expect_response("**/augment-preview?*") as answer:
        rows.first.get_by_role("button").click()
    assert parse_qs(urlsplit(answer.value.url).query)["ops"] == [worst.lower().replace(" ", "_")]
    expect(blank_page.locator("[name=ops]:checked")).to_have_count(1)


def test_impossible_parameters_are_answered_in_words(
    blank_page: Page, server: str, expected_errors: list[str]
) -> None:
    expected_errors.append("status of 422")
    open_page(
        blank_page, server, "#augment?ops=random_crop&random_crop.padding_mode=reflect&random_crop.padding=40"
    )
    expect(blank_page.locator("#augment .failure")).to_contain_text(
        "Padding must be smaller than the image to reflect it"
    )
    expect(blank_page.locator(".grid")).to_be_hidden()
    blank_page.get_by_label("Padding", exact=True).fill("3")
    expect(blank_page.locator(".grid img").first).to_be_visible()
    expect(blank_page.locator("#augment .failure")).to_be_hidden()


def test_what_a_link_says_wrongly_is_left_out(blank_page: Page, server: str) -> None:
    open_studio(blank_page, server, "image=unicorn&ops=sharpen,cutout&rows=99&cols=x&seed=-1&cutout.size=big")
    expect(blank_page.locator(".grid img")).to_have_count(TILES)
    query = shown_query(blank_page)
    assert query["ops"] == ["cutout"]
    assert [query[key] for key in ("image", "rows", "cols", "seed", "cutout.size")] == [
        ["cat"],
        ["2"],
        ["4"],
        ["0"],
        ["16"],
    ]


def test_a_number_that_cannot_be_drawn_is_marked_and_then_put_back(studio: Page) -> None:
    rows = studio.get_by_label("Rows")
    edge = "input => getComputedStyle(input).borderColor"
    before = rows.evaluate(edge)
    rows.fill("99")
    assert rows.evaluate(edge) != before
    rows.blur()
    expect(rows).to_have_value("2")
    assert rows.evaluate(edge) == before
    rows.fill("1")
    expect(studio.locator(".grid img")).to_have_count(TILES // 2)


@pytest.mark.parametrize("panel", ["constructor", "__proto__", "nothing"])
def test_an_address_of_no_panel_shows_the_first_one(blank_page: Page, server: str, panel: str) -> None:
    open_page(blank_page, server, f"#{panel}")
    expect(blank_page.get_by_role("tab", selected=True)).to_have_text("Classify")
