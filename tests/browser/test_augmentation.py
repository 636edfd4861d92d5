"""The preview of augmentation on the page."""

import base64
import io
from urllib.parse import parse_qs, urlsplit

from PIL import Image
from playwright.sync_api import Page, expect

from models.augmentations import AUGMENTATIONS


def pixels(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB").tobytes()


def shown_address(page: Page) -> str:
    return page.locator("figcaption a").get_attribute("href") or ""


def shown_query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(shown_address(page)).query)


def test_grid_is_shown_at_once_and_its_address_gives_the_same_image(page: Page, server: str) -> None:
    grid = page.get_by_role("img", name="Eight variations of the sample cat")
    expect(grid).to_be_visible()
    query = shown_query(page)
    assert query["image"] == ["cat"]
    assert query["ops"] == ["horizontal_flip,random_crop"]
    answer = page.request.get(f"{server}/{shown_address(page)}")
    # By way of a canvas, for the page may not fetch what it shows.
    shown = grid.evaluate(
        """image => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL("image/png");
        }"""
    )
    assert pixels(base64.b64decode(shown.partition(",")[2])) == pixels(answer.body())


def test_every_operation_is_offered(page: Page) -> None:
    values = page.locator("#augment input").evaluate_all("boxes => boxes.map((box) => box.value)")
    assert values == list(AUGMENTATIONS)


def test_every_operation_alone_gives_a_grid(page: Page) -> None:
    boxes = page.locator("#augment input")
    for name in ("horizontal_flip", "random_crop"):
        page.locator(f"[value={name}]").uncheck()
    for name in AUGMENTATIONS:
        with page.expect_response(f"**/augment-preview?ops={name}&*") as answer:
            page.locator(f"[value={name}]").check()
        assert answer.value.ok
        page.locator(f"[value={name}]").uncheck()
    expect(boxes.and_(page.locator(":checked"))).to_have_count(0)
    expect(page.locator("#augment .failure")).to_have_text("Choose at least one operation.")
    expect(page.locator("#augment figure")).to_be_hidden()


def test_new_seed_gives_another_image(page: Page) -> None:
    before = shown_query(page)["seed"]
    image = page.locator("figure img")
    source = image.get_attribute("src")
    page.get_by_role("button", name="New seed").click()
    expect(image).not_to_have_attribute("src", source or "")
    assert shown_query(page)["seed"] != before


def test_chosen_sample_is_the_one_varied(page: Page) -> None:
    page.get_by_role("button", name="truck").click()
    expect(page.get_by_role("img", name="Eight variations of the sample truck")).to_be_visible()
    expect(page.locator("#augment strong")).to_have_text("truck")
    assert shown_query(page)["image"] == ["truck"]
